# What `cmake --install` puts beside the program, and the Debian package of CPack: cpack -G DEB in the build folder.
install(DIRECTORY configs slurm DESTINATION ${CMAKE_INSTALL_DATADIR}/edt USE_SOURCE_PERMISSIONS)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN images EXCLUDE)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
configure_file(${CMAKE_SOURCE_DIR}/packaging/modules/edt.in ${CMAKE_BINARY_DIR}/packaging/edt-${PROJECT_VERSION} @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/packaging/edt-${PROJECT_VERSION} DESTINATION ${CMAKE_INSTALL_DATADIR}/modulefiles/edt
  RENAME ${PROJECT_VERSION})

set(CPACK_PACKAGE_NAME edt)
set(CPACK_PACKAGE_VENDOR "the authors of edt")
set(CPACK_PACKAGE_CONTACT "the authors of edt <edt@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # the libraries that the program is linked with
set(recommended openmpi-bin)
# Under the names of NVIDIA's repository. Not required: a toolkit from elsewhere, in no package, serves as well.
if(EDT_WITH_CUDA)
  set(cuda ${CUDAToolkit_VERSION_MAJOR}-${CUDAToolkit_VERSION_MINOR})
  list(APPEND recommended cuda-cudart-${cuda} libcublas-${cuda})
endif()
if(EDT_WITH_NCCL)
  list(APPEND recommended libnccl2)
endif()
list(JOIN recommended ", " CPACK_DEBIAN_PACKAGE_RECOMMENDS)
include(CPack)
