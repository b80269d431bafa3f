# Copies documentation with only those links that lead somewhere once it is installed:
#   cmake -DSOURCE=tree -DOUT=folder -P
# Pages go to OUT as they lie in the tree. A link to a file that is not installed, such as a source file, becomes its
# text. configs and slurm are there by symbolic links.
cmake_policy(VERSION 3.25)
file(REMOVE_RECURSE ${OUT})
file(GLOB_RECURSE pages RELATIVE ${SOURCE} ${SOURCE}/docs/*.md)
file(GLOB top RELATIVE ${SOURCE} ${SOURCE}/*.md)
list(APPEND pages ${top})
file(GLOB_RECURSE others RELATIVE ${SOURCE} ${SOURCE}/docs/images/* ${SOURCE}/configs/* ${SOURCE}/slurm/*)
set(installed ${pages} ${others} docs docs/images configs slurm)

function(copy_page page)
  file(READ ${SOURCE}/${page} text)
  get_filename_component(folder ${page} DIRECTORY)
  string(REGEX MATCHALL "\\([^()# \n]+[^() \n]*\\)" places "${text}")
  list(REMOVE_DUPLICATES places)
  foreach(place IN LISTS places)
    string(REGEX REPLACE "^\\(([^)#]*).*" "\\1" target "${place}")
    cmake_path(SET path NORMALIZE "${folder}/${target}")
    string(REGEX REPLACE "^/|/$" "" path "${path}")
    if(NOT target MATCHES "^[a-z]+:" AND NOT path IN_LIST installed)
      string(REGEX REPLACE "([][.*+?^$()|])" "\\\\\\1" pattern "${place}")
      string(REGEX REPLACE "\\[([^][]*)\\]${pattern}" "\\1" text "${text}")
    endif()
  endforeach()
  file(WRITE ${OUT}/${page} "${text}")
endfunction()

foreach(page IN LISTS pages)
  copy_page(${page})
endforeach()
file(COPY ${SOURCE}/docs/images DESTINATION ${OUT}/docs)
