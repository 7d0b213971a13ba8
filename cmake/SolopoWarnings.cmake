# solopo_warnings: what our own programs and tests are compiled with.
add_library(solopo_warnings INTERFACE)
target_compile_options(solopo_warnings INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees uninitialised registers in its own AVX-512 intrinsics (GCC bug 105593).
  # It also sees overlapping copies in std::string concatenation (GCC bug 105651).
  target_compile_options(solopo_warnings INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized;-Wno-restrict>")
endif()
if(SOLOPO_WARNINGS_AS_ERRORS)
  target_compile_options(solopo_warnings INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Werror>")
endif()
