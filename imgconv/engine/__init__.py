"""Compile loops (`compiled`, `compiler`, `cache`, `cache_key`), run them on threads (`parallel`) and choose algorithms (`dispatch`)."""
