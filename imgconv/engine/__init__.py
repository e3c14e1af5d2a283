"""Compile loops (`compiled`, `compiler`, `cache`), run them on threads (`parallel`) and choose algorithms (`dispatch`)."""
