# libdeflate, libyuv and libjpeg-turbo, which the pictures need: the static libraries where they are there, so that what is built needs
# nothing beside the C++ runtime (the shared libyuv wants libjpeg), else the shared ones.
function(mediacore_find_library name header package)
  find_path(MEDIACORE_${name}_INCLUDE ${header})
  find_library(MEDIACORE_${name}_LIBRARY NAMES lib${name}.a ${name})
  mark_as_advanced(MEDIACORE_${name}_INCLUDE MEDIACORE_${name}_LIBRARY)
  if(NOT MEDIACORE_${name}_INCLUDE OR NOT MEDIACORE_${name}_LIBRARY)
    message(FATAL_ERROR "lib${name} is not there. On Debian: apt-get install ${package}. Elsewhere say where it is: "
                        "-DCMAKE_PREFIX_PATH=FOLDER, which has include/${header} and lib/lib${name}.a or .so")
  endif()
endfunction()

mediacore_find_library(deflate libdeflate.h libdeflate-dev)
mediacore_find_library(yuv libyuv.h libyuv-dev)
mediacore_find_library(jpeg jpeglib.h libjpeg62-turbo-dev)

add_library(mediacore_picture_libraries INTERFACE)
target_include_directories(mediacore_picture_libraries SYSTEM INTERFACE
                           ${MEDIACORE_deflate_INCLUDE} ${MEDIACORE_yuv_INCLUDE} ${MEDIACORE_jpeg_INCLUDE})
target_link_libraries(mediacore_picture_libraries INTERFACE ${MEDIACORE_deflate_LIBRARY} ${MEDIACORE_yuv_LIBRARY}
                                                            ${MEDIACORE_jpeg_LIBRARY})
