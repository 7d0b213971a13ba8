# The matrix product of solopo::llama, chosen by SOLOPO_PRODUCT:
#   AUTO (or unset)  oneDNN when a program that uses it links, else a CBLAS that does, else Eigen
#   ONEDNN CBLAS EIGEN  that one, or an error that says what to install
#
# oneDNN is looked for by header and library, not by find_package(dnnl): Debian's configuration file insists on
# OpenCL's headers (ocl-icd-opencl-dev, which libdnnl-dev only recommends) and ends the whole configuration without them.

# solopo_find_product(OUT LIBRARIES): OUT = the target to link. LIBRARIES: OpenMP's target or nothing.
function(solopo_find_product out threads)
  set(wanted "${SOLOPO_PRODUCT}")
  if(NOT wanted)
    set(wanted AUTO)
  endif()
  if(NOT wanted MATCHES "^(AUTO|ONEDNN|CBLAS|EIGEN)$")
    message(FATAL_ERROR "solopo: SOLOPO_PRODUCT is ${wanted}; it must be AUTO, ONEDNN, CBLAS or EIGEN")
  endif()
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_QUIET ON)
  set(chosen)

  if(wanted MATCHES "^(AUTO|ONEDNN)$")
    find_path(SOLOPO_ONEDNN_INCLUDE dnnl.h)
    find_library(SOLOPO_ONEDNN_LIBRARY dnnl)
    mark_as_advanced(SOLOPO_ONEDNN_INCLUDE SOLOPO_ONEDNN_LIBRARY)
    if(SOLOPO_ONEDNN_INCLUDE AND SOLOPO_ONEDNN_LIBRARY)
      set(CMAKE_REQUIRED_INCLUDES ${SOLOPO_ONEDNN_INCLUDE})
      set(CMAKE_REQUIRED_LIBRARIES ${SOLOPO_ONEDNN_LIBRARY} ${threads})
      check_cxx_source_compiles("#include <dnnl.h>
        int main() { float x = 1; return dnnl_sgemm('N', 'N', 1, 1, 1, x, &x, 1, &x, 1, x, &x, 1); }"
        SOLOPO_ONEDNN_LINKS)
    endif()
    if(SOLOPO_ONEDNN_LINKS)
      set(chosen ONEDNN)
      set(include ${SOLOPO_ONEDNN_INCLUDE})
      set(libraries ${SOLOPO_ONEDNN_LIBRARY})
    elseif(wanted STREQUAL "ONEDNN")
      message(FATAL_ERROR "solopo: SOLOPO_PRODUCT=ONEDNN, but oneDNN was not found or does not link "
                          "(Debian: libdnnl-dev)")
    endif()
  endif()

  if(NOT chosen AND wanted MATCHES "^(AUTO|CBLAS)$")
    find_path(SOLOPO_CBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas openblas-pthread)
    mark_as_advanced(SOLOPO_CBLAS_INCLUDE)
    if(SOLOPO_CBLAS_INCLUDE)
      find_package(BLAS QUIET)
    endif()
    if(BLAS_FOUND)
      set(CMAKE_REQUIRED_INCLUDES ${SOLOPO_CBLAS_INCLUDE})
      set(CMAKE_REQUIRED_LIBRARIES BLAS::BLAS)
      check_cxx_source_compiles("#include <cblas.h>
        int main() {
          float x = 1;
          cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, x, &x, 1, &x, 1, x, &x, 1);
        }" SOLOPO_CBLAS_LINKS)
    endif()
    if(SOLOPO_CBLAS_LINKS)
      set(chosen CBLAS)
      set(include ${SOLOPO_CBLAS_INCLUDE})
      set(libraries BLAS::BLAS)
    elseif(wanted STREQUAL "CBLAS")
      message(FATAL_ERROR "solopo: SOLOPO_PRODUCT=CBLAS, but no CBLAS was found or it does not link "
                          "(Debian: libopenblas-dev)")
    endif()
  endif()

  if(NOT chosen)
    set(chosen EIGEN)
    set(include)
    set(libraries)
  endif()
  if(NOT TARGET solopo::product)
    add_library(solopo::product INTERFACE IMPORTED)
    set_target_properties(solopo::product PROPERTIES
      INTERFACE_COMPILE_DEFINITIONS SOLOPO_PRODUCT_${chosen}=1
      INTERFACE_INCLUDE_DIRECTORIES "${include}"
      INTERFACE_LINK_LIBRARIES "${libraries}")
  endif()
  set(${out} solopo::product PARENT_SCOPE)
  set(SOLOPO_PRODUCT_CHOSEN ${chosen} CACHE INTERNAL "The matrix product in use")
endfunction()
