# cmake -D DIST=<folder> -D OUT=<file.cpp> -P embed.cmake: turns the files of a folder into the table of assets.hpp.
file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE ${DIST} ${DIST}/*)
list(SORT files COMPARE STRING)
set(types_html "text/html@semicolon@ charset=utf-8")
set(types_js "text/javascript@semicolon@ charset=utf-8")
set(types_css "text/css@semicolon@ charset=utf-8")
set(types_svg "image/svg+xml")
set(types_png "image/png")
set(types_ico "image/x-icon")
set(types_txt "text/plain@semicolon@ charset=utf-8")
set(types_json "application/json")
set(types_woff2 "font/woff2")

set(arrays "")
set(rows "")
set(paths "")
set(number 0)
foreach(file IN LISTS files)
  string(REGEX REPLACE "^.*\\." "" extension ${file})
  if(NOT DEFINED types_${extension})
    message(FATAL_ERROR "web/embed/embed.cmake does not know the content type of '${file}': add it there")
  endif()
  set(path "/${file}")
  set(cache "no-cache")
  if(file STREQUAL "index.html")
    set(path "/")
  elseif(file MATCHES "^assets/")
    set(cache "public, max-age=31536000, immutable")
  endif()
  file(READ ${DIST}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  string(APPEND arrays "constexpr unsigned char kFile${number}[] = {\n${bytes}\n};\n")
  list(APPEND paths "${path} {\"${path}\", \"${types_${extension}}\", \"${cache}\", text(kFile${number})},")
  math(EXPR number "${number} + 1")
endforeach()
list(SORT paths COMPARE STRING)
foreach(row IN LISTS paths)
  string(FIND "${row}" "{" brace)
  string(SUBSTRING "${row}" ${brace} -1 row)
  string(REPLACE "@semicolon@" ";" row "${row}")  # a plain one would have split the row as a list element
  string(APPEND rows "    ${row}\n")
endforeach()

file(WRITE ${OUT} "// Made by web/embed/embed.cmake from the built page. Do not edit.
#include <cstddef>

#include \"embed/assets.hpp\"

namespace sluice::web {
namespace {

${arrays}
template <std::size_t size>
std::string_view text(const unsigned char (&bytes)[size]) {
    return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::span<const Asset> assets() {
    static const Asset table[] = {
${rows}    };
    return table;
}

}  // namespace sluice::web
")
