"""Pictures of ink in water, computed: smooth fields that bend each other into sheets, and the light that they let through."""
