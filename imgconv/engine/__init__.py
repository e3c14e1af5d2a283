"""How loops are compiled (`store`), spread over threads (`bands`) and chosen (`choose`)."""
