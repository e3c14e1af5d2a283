"""Compile loops (`compiled`, `compiler`, `object_code`, `cache`), run them on threads (`parallel`) and choose algorithms (`dispatch`)."""
