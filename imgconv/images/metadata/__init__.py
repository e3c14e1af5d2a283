"""What images carry besides their pixels."""
