# Compiler settings shared by every target, and the two functions that declare rooms and their tests.

add_compile_options(-Wall -Wextra -Wpedantic -Wno-missing-field-initializers -fvisibility=hidden
                    -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-psabi)
endif()

if(KEELSON_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(KEELSON_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(NOT KEELSON_SANITIZE STREQUAL "")
  message(FATAL_ERROR "KEELSON_SANITIZE must be address, thread or empty, not '${KEELSON_SANITIZE}'")
endif()

if(KEELSON_BUILD_FUZZ)
  # Everything is instrumented, and assertions stay on. clang 14 cannot emit coroutines with -fsanitize=function.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=function
                      -fno-sanitize-recover=undefined -UNDEBUG)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(KEELSON_CCACHE ccache)
if(KEELSON_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KEELSON_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${KEELSON_CCACHE})
endif()
find_program(KEELSON_MOLD mold)
if(KEELSON_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# keelson_small(TARGET ...): what waits for others most of its time: its code is better small than fast.
function(keelson_small)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo,Release>:-Os>)
  endforeach()
endfunction()

# keelson_room(NAME [SMALL] SOURCES ... [DEPENDS ...] [PRIVATE ...]): the library keelson_NAME of kernel/NAME.
function(keelson_room name)
  cmake_parse_arguments(ROOM "SMALL" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(keelson_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(keelson_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(keelson_${name} PUBLIC ${ROOM_DEPENDS} PRIVATE ${ROOM_PRIVATE})
  if(ROOM_SMALL)
    keelson_small(keelson_${name})
  endif()
endfunction()

# keelson_test(NAME SOURCES ... [DEPENDS ...] [TIMEOUT seconds]): one GoogleTest program, one CTest entry a case.
function(keelson_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_DEPENDS} GTest::gtest_main GTest::gmock)
  gtest_discover_tests(${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${TEST_TIMEOUT})
endfunction()
