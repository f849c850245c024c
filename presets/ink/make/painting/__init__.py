"""Renders pictures of ink in water: smooth fields, sheets and threads made of them, and the light that passes."""
