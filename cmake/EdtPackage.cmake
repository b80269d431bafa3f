# What `cmake --install` puts beside the program, and the Debian packages of CPack: cpack -G DEB in the build folder
# makes `edt`, and `edt-cuda` where the GPU backend was built. docs/packages.md says more.
set(EDT_MAINTAINER "" CACHE STRING "Who answers for the packages: NAME <ADDRESS>; empty: DEBFULLNAME and DEBEMAIL")
set(EDT_HOMEPAGE "https://arxiv.org/abs/2410.23788" CACHE STRING "Page that the packages name")
set(docs ${CMAKE_INSTALL_DOCDIR})

install(DIRECTORY configs slurm DESTINATION ${CMAKE_INSTALL_DATADIR}/edt USE_SOURCE_PERMISSIONS)
configure_file(${PROJECT_SOURCE_DIR}/packaging/modules/edt.in ${PROJECT_BINARY_DIR}/packaging/edt-${PROJECT_VERSION} @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/edt-${PROJECT_VERSION} DESTINATION ${CMAKE_INSTALL_DATADIR}/modulefiles/edt
  RENAME ${PROJECT_VERSION})

# The documentation, whose links to configs and slurm lead to those installed above.
install(CODE "execute_process(COMMAND_ERROR_IS_FATAL ANY COMMAND \${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR}
  -DOUT=${PROJECT_BINARY_DIR}/packaging/pages -P ${PROJECT_SOURCE_DIR}/cmake/installed_pages.cmake)")
install(DIRECTORY ${PROJECT_BINARY_DIR}/packaging/pages/ DESTINATION ${docs})
install(FILES LICENSE DESTINATION ${docs})
file(RELATIVE_PATH data ${CMAKE_INSTALL_FULL_DOCDIR} ${CMAKE_INSTALL_FULL_DATADIR}/edt)
foreach(folder configs slurm)
  install(CODE "file(CREATE_LINK ${data}/${folder} \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${docs}/${folder} SYMBOLIC)")
endforeach()

# Debian's packages: a component each. What each needs is read from what it is linked with.
if(NOT EDT_MAINTAINER AND DEFINED ENV{DEBFULLNAME} AND DEFINED ENV{DEBEMAIL})
  set(EDT_MAINTAINER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
elseif(NOT EDT_MAINTAINER)
  set(EDT_MAINTAINER "edt maintainers <maintainers@edt.invalid>")  # an address that says it is none (RFC 6761)
endif()
set(CPACK_PACKAGE_NAME edt)
set(CPACK_PACKAGE_VENDOR "the authors of edt")
set(CPACK_PACKAGE_CONTACT "${EDT_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL edt)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/debian/prepare.cmake)
set(CPACK_EDT_SOURCE ${PROJECT_SOURCE_DIR})  # for that script
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE ${EDT_HOMEPAGE})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_EDT_PACKAGE_NAME edt)
set(CPACK_DEBIAN_EDT_PACKAGE_RECOMMENDS openmpi-bin)
set(CPACK_COMPONENT_EDT_DESCRIPTION
"edt trains and samples EDT, MDTv2 and DiT, diffusion transformers for pictures,
on processors and GPUs, on one machine or a cluster: ZeRO sharding and tensor
parallelism over MPI, latents from HDF5 shards, exact resume, weights that do
not depend on the number of ranks.
.
GPUs need the package edt-cuda.")
if(EDT_WITH_CUDA)
  # Under the names of NVIDIA's repository. Not required: a toolkit from elsewhere, in no package, serves as well.
  set(cuda ${CUDAToolkit_VERSION_MAJOR}-${CUDAToolkit_VERSION_MINOR})
  set(recommended cuda-cudart-${cuda} libcublas-${cuda})
  if(EDT_WITH_NCCL)
    list(APPEND recommended libnccl2)
  endif()
  list(APPEND CPACK_COMPONENTS_ALL cuda)
  set(CPACK_DEBIAN_CUDA_PACKAGE_NAME edt-cuda)
  set(CPACK_DEBIAN_CUDA_PACKAGE_DEPENDS "edt (= ${PROJECT_VERSION})")
  list(JOIN recommended ", " CPACK_DEBIAN_CUDA_PACKAGE_RECOMMENDS)
  set(CPACK_COMPONENT_CUDA_DESCRIPTION
"The part of edt that computes on NVIDIA's GPUs: edt loads it where a GPU is
asked for. It needs the CUDA runtime and cuBLASLt of the same major version,
and NCCL for several GPUs, from NVIDIA's repository or in the loader's path.")
endif()
include(CPack)
