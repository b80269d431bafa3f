// What every plugin exports. Included by the one file of a plugin that names its functions.
#pragma once

#include "core/plugin/build_identity.h"

// Read from the file before it is loaded.
#define EDT_PLUGIN_BUILD_MARK "edt plugin of build "

// `table`: an object with static storage that holds the plugin's functions.
#define EDT_PLUGIN(table)                                                   \
  extern "C" {                                                              \
  extern const char edt_plugin_build[];                                     \
  extern const void* const edt_plugin;                                      \
  const char edt_plugin_build[] = EDT_PLUGIN_BUILD_MARK EDT_BUILD_IDENTITY; \
  const void* const edt_plugin = &(table);                                  \
  }
