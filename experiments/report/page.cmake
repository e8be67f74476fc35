# The report page's parts as C++ string constants: our own files and uPlot (charts), which npm installs into the build folder by the lock
# file beside package.json.
set(page ${CMAKE_SOURCE_DIR}/experiments/report/page)
set(npm_folder ${CMAKE_BINARY_DIR}/npm)
set(uplot ${npm_folder}/node_modules/uplot/dist)
find_program(NPM npm REQUIRED)
add_custom_command(OUTPUT ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css
  COMMAND ${CMAKE_COMMAND} -E make_directory ${npm_folder}
  COMMAND ${CMAKE_COMMAND} -E copy ${page}/package.json ${page}/package-lock.json ${page}/.npmrc ${npm_folder}
  COMMAND ${CMAKE_COMMAND} -E chdir ${npm_folder} ${NPM} ci --silent
  DEPENDS ${page}/package.json ${page}/package-lock.json ${page}/.npmrc VERBATIM)
set(parts ${page}/index.html ${page}/style.css ${page}/draw.js ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/page_parts.cpp
  COMMAND ${CMAKE_COMMAND} "-DPARTS=${parts}" -DOUTPUT=${CMAKE_BINARY_DIR}/generated/page_parts.cpp
          -P ${CMAKE_SOURCE_DIR}/experiments/report/embed.cmake
  DEPENDS ${parts} ${CMAKE_SOURCE_DIR}/experiments/report/embed.cmake VERBATIM)
target_sources(arashi_pure PRIVATE ${CMAKE_BINARY_DIR}/generated/page_parts.cpp)
