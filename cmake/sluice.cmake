# Compiler options and the two helpers that every folder uses.
add_library(sluice_options INTERFACE)
target_compile_options(sluice_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of GCC 12's middle end in inlined std::vector and std::string code (GCC bugs 105329, 105651, 107852).
  target_compile_options(sluice_options INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized)
endif()
if(SLUICE_SANITIZE)
  target_compile_options(sluice_options INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sluice_options INTERFACE -fsanitize=${SLUICE_SANITIZE})
  if(SLUICE_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC warns that std::atomic_thread_fence, which Asio uses, is not understood by the thread sanitizer.
    target_compile_options(sluice_options INTERFACE -Wno-tsan)
  endif()
endif()

# What nearly every file includes is parsed once a build: half of the compile time of a small file. The preset `fuzz` goes without
# (CMAKE_DISABLE_PRECOMPILE_HEADERS), and so do header_check and clang-tidy: what forgets an #include fails there.
set(SLUICE_COMMON_HEADERS <algorithm> <array> <chrono> <cstdint> <functional> <map> <memory> <optional> <span> <string> <string_view>
  <unordered_map> <utility> <vector>)

function(sluice_precompiled name)
  cmake_parse_arguments(arg "" "" "HEADERS;LINKS" ${ARGN})
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/${name}.cpp CONTENT "// Only for its precompiled headers.\n")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE ${arg_LINKS} sluice_options)
  target_precompile_headers(${name} PRIVATE ${SLUICE_COMMON_HEADERS} ${arg_HEADERS})
endfunction()

# sluice_library(name folder links…): sluice_<name> from the folder's *.cpp (not of its subfolders), and <name>_test from *_test.cpp.
function(sluice_library name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(sources)
    add_library(sluice_${name} STATIC ${sources})
    target_include_directories(sluice_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(sluice_${name} PUBLIC ${ARGN} PRIVATE sluice_options)
    if(TARGET sluice_${name}_precompiled)  # it has more of them
      target_precompile_headers(sluice_${name} REUSE_FROM sluice_${name}_precompiled)
    else()
      target_precompile_headers(sluice_${name} REUSE_FROM sluice_precompiled)
    endif()
  else()
    add_library(sluice_${name} INTERFACE)
    target_include_directories(sluice_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(sluice_${name} INTERFACE ${ARGN})
  endif()
  if(SLUICE_TESTS AND tests)
    sluice_test(${name}_test LABEL unit SOURCES ${tests} LINKS sluice_${name})
  endif()
endfunction()

# sluice_test(name LABEL label SOURCES … LINKS …): a GoogleTest program, one ctest entry, with a label for ctest -L.
function(sluice_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest GTest::gmock GTest::gtest_main sluice_options)
  target_precompile_headers(${name} REUSE_FROM sluice_test_precompiled)
  target_compile_definitions(${name} PRIVATE SLUICE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()

function(sluice_optional_subdirectory folder)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${CMAKE_SOURCE_DIR}/${folder} ${CMAKE_BINARY_DIR}/${folder})
  endif()
endfunction()
