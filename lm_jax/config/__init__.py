"""Configurations: what a run is, its flags, and config.json."""

from lm_jax.config.file import from_json as from_json
from lm_jax.config.file import read as read
from lm_jax.config.file import to_json as to_json
from lm_jax.config.named_options import ADAPTATIONS as ADAPTATIONS
from lm_jax.config.named_options import OBJECTIVES as OBJECTIVES
from lm_jax.config.named_options import adaptation_class as adaptation_class
from lm_jax.config.named_options import adaptation_schema as adaptation_schema
from lm_jax.config.named_options import is_open as is_open
from lm_jax.config.named_options import objective_class as objective_class
from lm_jax.config.named_options import objective_schema as objective_schema
from lm_jax.config.named_options import require_option as require_option
from lm_jax.config.named_options import schema as schema
from lm_jax.config.named_options import versioned as versioned
from lm_jax.config.parts import Built as Built
from lm_jax.config.parts import build as build
from lm_jax.config.parts import flat as flat
from lm_jax.config.parts import given as given
from lm_jax.config.parts import needs_documents as needs_documents
from lm_jax.config.parts import resolve as resolve
from lm_jax.config.parts import with_packing as with_packing
from lm_jax.config.run import METHOD as METHOD
from lm_jax.config.run import Config as Config
from lm_jax.config.seeds import seeds_of as seeds_of
