# The components beyond solopo::solopo: solopo::eigen, solopo::xtensor, solopo::torch, solopo::cuda,
# solopo::llama. Read by this project's own
# build and, installed, by find_package(solopo): headers are the same everywhere, so a component depends on what the
# machine that uses it has, not on what the machine that installed it had.
#
# solopo_find_component(NAME WHY) creates solopo::NAME, or puts into WHY what is missing and its Debian package.

set(SOLOPO_COMPONENTS eigen xtensor torch cuda llama)

# In this project a component is a target of its own, in a consumer's an imported one.
function(_solopo_add_component name)
  if(TARGET solopo_solopo)
    add_library(solopo_${name} INTERFACE)
    add_library(solopo::${name} ALIAS solopo_${name})
    target_link_libraries(solopo_${name} INTERFACE solopo_solopo ${ARGN})
  else()
    add_library(solopo::${name} INTERFACE IMPORTED)
    target_link_libraries(solopo::${name} INTERFACE solopo::solopo ${ARGN})
  endif()
endfunction()

function(_solopo_find_eigen why)
  find_package(Eigen3 3.4 QUIET NO_MODULE)
  if(TARGET Eigen3::Eigen)
    _solopo_add_component(eigen Eigen3::Eigen)
  else()
    set(${why} "Eigen 3.4 (Debian: libeigen3-dev)" PARENT_SCOPE)
  endif()
endfunction()

function(_solopo_find_xtensor why)
  set(CMAKE_REQUIRED_QUIET ON)  # xtensor's own file tests a compiler flag aloud
  find_package(xtensor QUIET)
  if(TARGET xtensor)
    _solopo_add_component(xtensor xtensor)
  else()
    set(${why} "xtensor (Debian: libxtensor-dev)" PARENT_SCOPE)
  endif()
endfunction()

# libtorch, looked for by header and library: Debian's TorchConfig.cmake looks for CUDA and MKL aloud and sets flags.
# SOLOPO_TORCH_INCLUDE and SOLOPO_TORCH_LIBRARY (libtorch itself; c10 and torch_cpu lie beside it) name another one.
function(_solopo_find_torch why)
  find_path(SOLOPO_TORCH_INCLUDE torch/csrc/autograd/custom_function.h)
  find_library(SOLOPO_TORCH_LIBRARY torch)
  find_library(SOLOPO_TORCH_CPU_LIBRARY torch_cpu)
  find_library(SOLOPO_C10_LIBRARY c10)
  mark_as_advanced(SOLOPO_TORCH_INCLUDE SOLOPO_TORCH_LIBRARY SOLOPO_TORCH_CPU_LIBRARY SOLOPO_C10_LIBRARY)
  if(SOLOPO_TORCH_INCLUDE AND SOLOPO_TORCH_LIBRARY AND SOLOPO_TORCH_CPU_LIBRARY AND SOLOPO_C10_LIBRARY)
    if(NOT TARGET solopo_libtorch)
      add_library(solopo_libtorch INTERFACE IMPORTED)
      set_target_properties(solopo_libtorch PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${SOLOPO_TORCH_INCLUDE};${SOLOPO_TORCH_INCLUDE}/torch/csrc/api/include"
        INTERFACE_LINK_LIBRARIES "${SOLOPO_TORCH_LIBRARY};${SOLOPO_TORCH_CPU_LIBRARY};${SOLOPO_C10_LIBRARY}")
    endif()
    _solopo_add_component(torch solopo_libtorch)
  else()
    set(${why} "libtorch 1.13 (Debian: libtorch-dev)" PARENT_SCOPE)
  endif()
endfunction()

# Device code, for sources in the language CUDA. SOLOPO_WITH_CUDA: AUTO (or unset) takes the toolkit when it is
# there, ON insists, OFF does without.
function(_solopo_find_cuda why)
  set(wanted "${SOLOPO_WITH_CUDA}")
  if(NOT wanted)
    if(DEFINED SOLOPO_WITH_CUDA AND NOT SOLOPO_WITH_CUDA STREQUAL "")
      set(${why} "SOLOPO_WITH_CUDA to be AUTO or ON" PARENT_SCOPE)
      return()
    endif()
    set(wanted AUTO)
  endif()
  set(CMAKE_REQUIRED_QUIET ON)
  find_package(CUDAToolkit 13 QUIET)
  if(CUDAToolkit_FOUND AND CUDAToolkit_NVCC_EXECUTABLE AND TARGET CUDA::cudart AND TARGET CUDA::cublasLt)
    _solopo_add_component(cuda CUDA::cudart CUDA::cublasLt)
    if(TARGET solopo_cuda)
      set(cuda solopo_cuda)
    else()
      set(cuda solopo::cuda)
    endif()
    # CMake 3.25 does not know nvcc 13's flag. A call of host code from device code is only a warning otherwise, and
    # the kernel then does nothing.
    target_compile_options(${cuda} INTERFACE
      "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-std=c++20 -Werror cross-execution-space-call>")
    return()
  endif()
  set(needed "the CUDA toolkit 13 or newer with nvcc (from NVIDIA; Debian's is older)")
  if(NOT wanted STREQUAL "AUTO")
    message(FATAL_ERROR "solopo: SOLOPO_WITH_CUDA is ${wanted}, which needs ${needed}")
  endif()
  set(${why} "${needed}" PARENT_SCOPE)
endfunction()

# The reference model, its files and its trainer: JSON, Eigen, threads, and the fastest matrix product at hand.
function(_solopo_find_llama why)
  find_package(Eigen3 3.4 QUIET NO_MODULE)
  find_package(nlohmann_json 3.11 QUIET)
  set(missing)
  if(NOT TARGET Eigen3::Eigen)
    list(APPEND missing "Eigen 3.4 (Debian: libeigen3-dev)")
  endif()
  if(NOT TARGET nlohmann_json::nlohmann_json)
    list(APPEND missing "nlohmann-json 3.11 (Debian: nlohmann-json3-dev)")
  endif()
  if(missing)
    list(JOIN missing " and " missing)
    set(${why} "${missing}" PARENT_SCOPE)
    return()
  endif()
  include("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/solopo-product.cmake")
  set(threads)
  if(NOT DEFINED SOLOPO_WITH_OPENMP OR SOLOPO_WITH_OPENMP)
    find_package(OpenMP QUIET COMPONENTS CXX)
    if(TARGET OpenMP::OpenMP_CXX)
      set(threads OpenMP::OpenMP_CXX)
    endif()
  endif()
  solopo_find_product(product "${threads}")
  _solopo_add_component(llama nlohmann_json::nlohmann_json Eigen3::Eigen ${threads} ${product})
endfunction()

function(solopo_find_component name why)
  set(reason)
  if(NOT name IN_LIST SOLOPO_COMPONENTS)
    list(JOIN SOLOPO_COMPONENTS ", " known)
    set(reason "one of ${known}: there is no component of this name")
  elseif(NOT TARGET solopo::${name})
    cmake_language(CALL _solopo_find_${name} reason)
  endif()
  set(${why} "${reason}" PARENT_SCOPE)
endfunction()
