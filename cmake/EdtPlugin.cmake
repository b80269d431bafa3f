# Where an installed program has its plugins: not in a folder of the loader, nor beside one.
set(EDT_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/edt/plugins)

# edt_plugin(TARGET NAME name ENTRY file OBJECTS library... [FOLDER folder] [DEPENDS target...])
#   lib<name>.so of the entry and the libraries' objects, beside the program and installed below its libraries, or
#   in another folder of the build and not installed. What it uses of the rest of the project it takes from the program,
#   which exports its functions.
function(edt_plugin target)
  cmake_parse_arguments(ARG "" "NAME;ENTRY;FOLDER" "OBJECTS;DEPENDS" ${ARGN})
  list(TRANSFORM ARG_OBJECTS REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
  add_library(${target} SHARED ${ARG_ENTRY} ${ARG_OBJECTS})
  target_link_libraries(${target} PRIVATE edt_flags edt_build_identity fmt::fmt ${ARG_DEPENDS})
  # The program has functions of the same names, which ask these.
  target_link_options(${target} PRIVATE -Wl,-Bsymbolic-functions)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${ARG_NAME} UNITY_BUILD OFF
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${ARG_FOLDER}
    INSTALL_RPATH $ORIGIN INSTALL_RPATH_USE_LINK_PATH ON)  # such as the folder of CUDA's libraries
  if(NOT ARG_FOLDER)
    install(TARGETS ${target} LIBRARY DESTINATION ${EDT_PLUGIN_DIR} COMPONENT cuda)
    set_property(GLOBAL APPEND PROPERTY EDT_PLUGINS ${target})
  endif()
endfunction()

# edt_takes_plugins(TARGET)
#   A program that loads plugins. One of another build is refused, so they are built together.
function(edt_takes_plugins target)
  set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
  get_property(plugins GLOBAL PROPERTY EDT_PLUGINS)
  if(plugins)
    add_dependencies(${target} ${plugins})
  endif()
endfunction()
