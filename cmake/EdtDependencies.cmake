# Every outside library, found once, not older than the oldest with which it is built and tested: Debian 12's.
# docs/dependencies.md says why each was chosen.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt 9.1 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
# Not find_package(dnnl): Debian's configuration file demands OpenCL, which is used nowhere here.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
file(STRINGS ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h dnnl_version REGEX "define DNNL_VERSION_(MAJOR|MINOR) ")
string(REGEX REPLACE "[^;]*DNNL_VERSION_[A-Z]+ +" "" dnnl_version "${dnnl_version}")
list(JOIN dnnl_version . dnnl_version)
if(dnnl_version VERSION_LESS 2.6)
  message(FATAL_ERROR "oneDNN in ${DNNL_INCLUDE_DIR} is ${dnnl_version}, needed is 2.6 or newer")
endif()
add_library(DNNL::dnnl UNKNOWN IMPORTED)
set_target_properties(DNNL::dnnl PROPERTIES
  IMPORTED_LOCATION ${DNNL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})
find_package(MPI 3.1 REQUIRED COMPONENTS C)
find_package(HDF5 1.10.7 REQUIRED COMPONENTS C)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET "libhwy>=1.0.3")
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET "libxxhash>=0.8.1")
pkg_check_modules(zip REQUIRED IMPORTED_TARGET "libzip>=1.7.3")
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET "libutf8proc>=2.5")
pkg_check_modules(archive REQUIRED IMPORTED_TARGET "libarchive>=3.6.2")
# Not find_package(simdjson): its configuration file takes no other minor version than the one asked for.
pkg_check_modules(simdjson REQUIRED IMPORTED_TARGET "simdjson>=3.0")
pkg_check_modules(webp IMPORTED_TARGET libwebp)  # optional
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_writer.hpp REQUIRED)  # header-only
if(EDT_TESTS)
  find_package(GTest 1.12 REQUIRED)
  include(GoogleTest)
endif()
