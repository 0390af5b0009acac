//! What the fuzz targets do.
