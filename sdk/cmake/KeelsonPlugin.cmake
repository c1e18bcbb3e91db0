# keelson_add_plugin(NAME SOURCES file... MANIFEST NAME.yaml [LINK target...]): a Keelson plugin.
#
# Makes the target NAME: the shared object NAME.so with its manifest NAME.yaml beside it, both in
# lib/keelson/plugins of the build folder. It exports keelson_plugin() and nothing else. A manifest whose name ends
# in .in is filled in first: @VARIABLES@ become their values.

set(KEELSON_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/keelson-plugin.map)

# Whether this folder is built with sanitizers: their symbols come from the program that loads the plugin.
function(keelson_plugin_is_sanitized result)
  get_directory_property(options COMPILE_OPTIONS)
  string(FIND "${options};${CMAKE_C_FLAGS};${CMAKE_CXX_FLAGS};${KEELSON_SANITIZE}" "-fsanitize=" found)
  if(found GREATER_EQUAL 0 OR KEELSON_SANITIZE)
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

# Puts the manifest beside the library.
function(keelson_place_manifest name manifest folder)
  get_filename_component(source ${manifest} ABSOLUTE)
  if(NOT EXISTS ${source})
    message(FATAL_ERROR "keelson_add_plugin(${name}): there is no manifest ${source}")
  endif()
  if(manifest MATCHES "\\.in$")
    configure_file(${source} ${folder}/${name}.yaml @ONLY)
  else()
    configure_file(${source} ${folder}/${name}.yaml COPYONLY)
  endif()
endfunction()

function(keelson_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 PLUGIN "" "MANIFEST" "SOURCES;LINK")
  if(NOT PLUGIN_SOURCES OR NOT PLUGIN_MANIFEST OR PLUGIN_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "keelson_add_plugin(NAME SOURCES file... MANIFEST NAME.yaml [LINK target...])")
  endif()
  set(folder ${CMAKE_BINARY_DIR}/lib/keelson/plugins)
  keelson_place_manifest(${name} ${PLUGIN_MANIFEST} ${folder})

  add_library(${name} MODULE ${PLUGIN_SOURCES})
  target_link_libraries(${name} PRIVATE keelson::sdk ${PLUGIN_LINK})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${folder} LINK_DEPENDS ${KEELSON_PLUGIN_MAP}
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(NOT CMAKE_CXX_STANDARD)
    set_target_properties(${name} PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
  endif()
  # Without this a second version of a plugin in the same process would share the first one's static variables.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,--version-script=${KEELSON_PLUGIN_MAP} -Wl,-z,now -Wl,-z,relro)
  keelson_plugin_is_sanitized(sanitized)
  if(NOT sanitized)
    target_link_options(${name} PRIVATE -Wl,--no-undefined -static-libgcc $<$<LINK_LANGUAGE:CXX>:-static-libstdc++>)
  endif()
endfunction()
