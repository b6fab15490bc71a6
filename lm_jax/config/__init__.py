"""Configurations: what a run is, its flags, and config.json."""

from lm_jax.config.file import from_json as from_json
from lm_jax.config.file import read as read
from lm_jax.config.file import to_json as to_json
from lm_jax.config.run import ADAPTATIONS as ADAPTATIONS
from lm_jax.config.run import METHOD as METHOD
from lm_jax.config.run import OBJECTIVES as OBJECTIVES
from lm_jax.config.run import Built as Built
from lm_jax.config.run import Config as Config
from lm_jax.config.run import adaptation_class as adaptation_class
from lm_jax.config.run import adaptation_schema as adaptation_schema
from lm_jax.config.run import build as build
from lm_jax.config.run import flat as flat
from lm_jax.config.run import given as given
from lm_jax.config.run import is_open as is_open
from lm_jax.config.run import needs_documents as needs_documents
from lm_jax.config.run import objective_class as objective_class
from lm_jax.config.run import objective_schema as objective_schema
from lm_jax.config.run import require_option as require_option
from lm_jax.config.run import resolve as resolve
from lm_jax.config.run import schema as schema
from lm_jax.config.run import versioned as versioned
from lm_jax.config.run import with_packing as with_packing
