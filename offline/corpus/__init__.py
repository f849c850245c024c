"""Analysed sounds and their 2-D map, by principal components and UMAP."""
