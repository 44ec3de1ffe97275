# What every target of weft shares: warnings, sanitizers, and how a layer is declared.

add_library(weft_flags INTERFACE)
target_compile_definitions(weft_flags INTERFACE _GNU_SOURCE)
target_compile_options(weft_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef
  -fno-strict-aliasing -fPIC)
if(WEFT_WERROR)
  target_compile_options(weft_flags INTERFACE -Werror)
endif()
if(WEFT_SANITIZE)
  target_compile_options(weft_flags INTERFACE -fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(weft_flags INTERFACE -fsanitize=${WEFT_SANITIZE})
endif()

# weft_layer(NAME SOURCES ... USES ...): the static library weft_NAME of this folder. Its headers are seen as "x.h" inside
# and by the layers that use it. Headers of the layers in USES are seen too, and no others.
function(weft_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_library(weft_${name} STATIC ${arg_SOURCES})
  # -iquote, so that a header of ours never stands in front of the system's of the same name (<limits.h>).
  target_compile_options(weft_${name} PUBLIC "SHELL:-iquote ${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(weft_${name} PUBLIC ${arg_USES} PRIVATE weft_flags)
endfunction()
