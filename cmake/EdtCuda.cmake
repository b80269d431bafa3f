# The CUDA backend, libedt_cuda.so, is built when the toolkit, cuBLASLt and a link test are there, and libedt_nccl.so
# where NCCL is. The program is the same without them. Afterwards EDT_WITH_CUDA and EDT_WITH_NCCL say which are built.
set(EDT_CUDA AUTO CACHE STRING "CUDA backend: AUTO (where the toolkit is found), ON (required) or OFF")
set_property(CACHE EDT_CUDA PROPERTY STRINGS AUTO ON OFF)
set(EDT_NCCL AUTO CACHE STRING "NCCL for several GPUs: AUTO (where it is found), ON (required) or OFF")
set_property(CACHE EDT_NCCL PROPERTY STRINGS AUTO ON OFF)
# Machine code for Ampere and Hopper, and PTX, which the driver compiles at the first start on what comes after them. No
# kernel of these has instructions of Hopper alone, which PTX of 90a would not carry further; those that have (core/cuda/kernels/hopper)
# are compiled beside them for 90a alone.
set(EDT_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPU architectures of the CUDA backend")

set(EDT_WITH_CUDA OFF)
set(EDT_WITH_NCCL OFF)
foreach(part EDT_CUDA EDT_NCCL)
  if(NOT ${part} MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "${part} is ${${part}}, must be AUTO, ON or OFF")
  endif()
endforeach()

function(edt_cuda_missing reason)
  if(EDT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "EDT_CUDA=ON, but ${reason}")
  endif()
  message(STATUS "CUDA backend: no, ${reason}")
endfunction()

if(EDT_CUDA STREQUAL "OFF")
  message(STATUS "CUDA backend: no, EDT_CUDA=OFF")
  return()
endif()

# nvcc outside PATH is where NVIDIA's packages put it.
find_program(EDT_NVCC nvcc HINTS $ENV{CUDA_HOME} /usr/local/cuda PATH_SUFFIXES bin)
if(NOT EDT_NVCC)
  edt_cuda_missing("nvcc was not found")
  return()
endif()
if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${EDT_NVCC})
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES ${EDT_CUDA_ARCHITECTURES})
endif()
if(NOT DEFINED CMAKE_CUDA_HOST_COMPILER)
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  edt_cuda_missing("${EDT_NVCC} does not compile")
  return()
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)  # C++20, and functions with other arguments before
  edt_cuda_missing("${CMAKE_CUDA_COMPILER} is of version ${CMAKE_CUDA_COMPILER_VERSION}, 12 is needed")
  return()
endif()
# CMake before 3.26 does not know that nvcc speaks C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
if(EDT_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${EDT_CCACHE})
endif()

find_package(CUDAToolkit)
if(NOT TARGET CUDA::cublasLt OR NOT TARGET CUDA::cudart)
  edt_cuda_missing("cuBLASLt was not found beside ${CMAKE_CUDA_COMPILER}")
  return()
endif()

include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES CUDA::cudart CUDA::cublasLt)
check_cxx_source_compiles("
  #include <cublasLt.h>
  #include <cuda_runtime_api.h>
  int main() { int n = 0; return cudaGetDeviceCount(&n) + static_cast<int>(cublasLtGetVersion() == 0); }"
  EDT_CUBLASLT_LINKS)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT EDT_CUBLASLT_LINKS)
  edt_cuda_missing("a program with cuBLASLt does not link (see CMakeFiles/CMakeError.log)")
  return()
endif()
set(EDT_WITH_CUDA ON)
message(STATUS "CUDA backend: yes, toolkit ${CUDAToolkit_VERSION}, ${CMAKE_CUDA_ARCHITECTURES}")

# Collectives between GPUs. Without NCCL tensors travel through host memory.
if(EDT_NCCL STREQUAL "OFF")
  message(STATUS "NCCL: no, EDT_NCCL=OFF")
  return()
endif()
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
  set(CMAKE_REQUIRED_LIBRARIES CUDA::cudart ${NCCL_LIBRARY})
  set(CMAKE_REQUIRED_INCLUDES ${NCCL_INCLUDE_DIR})
  check_cxx_source_compiles("
    #include <nccl.h>
    int main() { int version = 0; return static_cast<int>(ncclGetVersion(&version)); }"
    EDT_NCCL_LINKS)
  unset(CMAKE_REQUIRED_LIBRARIES)
  unset(CMAKE_REQUIRED_INCLUDES)
  if(EDT_NCCL_LINKS)
    set(EDT_WITH_NCCL ON)
    add_library(NCCL::nccl UNKNOWN IMPORTED)
    set_target_properties(NCCL::nccl PROPERTIES
      IMPORTED_LOCATION ${NCCL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${NCCL_INCLUDE_DIR})
  endif()
endif()
if(EDT_NCCL STREQUAL "ON" AND NOT EDT_WITH_NCCL)
  message(FATAL_ERROR "EDT_NCCL=ON, but a program with NCCL does not link (NCCL_INCLUDE_DIR is ${NCCL_INCLUDE_DIR}, NCCL_LIBRARY ${NCCL_LIBRARY})")
endif()
message(STATUS "NCCL: ${EDT_WITH_NCCL}")
