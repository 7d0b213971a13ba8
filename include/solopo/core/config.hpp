// What every header needs to know about the compiler, and the library's version.
#pragma once

// A scalar rule marked SOLOPO_HD runs on the host and, compiled by nvcc, on the device.
#if defined(__CUDACC__)
#define SOLOPO_HD __host__ __device__
#else
#define SOLOPO_HD
#endif

#define SOLOPO_VERSION_MAJOR 0
#define SOLOPO_VERSION_MINOR 1
#define SOLOPO_VERSION_PATCH 0
#define SOLOPO_VERSION "0.1.0"

// Set where a missing NaN or infinity check could accept a bad file or a bad update. -ffast-math removes
// those checks. Objectives stay right under it; reading files and training refuse it unless the user insists.
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ && !defined(SOLOPO_ALLOW_FINITE_MATH)
#define SOLOPO_FINITE_MATH 1
#else
#define SOLOPO_FINITE_MATH 0
#endif
