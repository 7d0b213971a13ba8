// -ffast-math lets the compiler drop tests for NaN and infinity. A reader without them accepts bad files, a
// trainer without them goes on after a bad step, so both include this header and refuse to compile.
#pragma once

#include "solopo/core/config.hpp"

#if SOLOPO_FINITE_MATH
#error \
    "solopo: this header needs NaN checks, which -ffast-math removes: build without it, or define SOLOPO_ALLOW_FINITE_MATH"
#endif
