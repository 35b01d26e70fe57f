# weir_room(<room> <pure|io> SOURCES ... USES ...): one static library <room>_<kind>.
# Pure: bytes or packets in and out, no socket, thread or clock. Unit tests and fuzzers link pure targets only.
function(weir_room room kind)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;PRIVATE" ${ARGN})
  set(target ${room}_${kind})
  add_library(${target} STATIC ${ROOM_SOURCES})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${ROOM_USES} PRIVATE ${ROOM_PRIVATE})
endfunction()
