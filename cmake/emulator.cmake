# lamina._cuda_emulated: the CUDA module's own sources, compiled by the C++ compiler and run on the CPU by an emulator
# (csrc/emulator, docs/cuda_emulator.md). For tests: it is built into the build folder and never installed.
option(LAMINA_EMULATOR "Build lamina._cuda_emulated, the CUDA kernels on the CPU, for tests" OFF)
set(LAMINA_EMULATOR_SANITIZE "" CACHE STRING "What watches the emulated kernels: empty, address, thread or counted")
if(NOT LAMINA_EMULATOR)
  return()
endif()
find_package(nanobind CONFIG REQUIRED)

file(GLOB emulator_kernels CONFIGURE_DEPENDS csrc/cuda/*.cu)
file(GLOB emulator_bindings CONFIGURE_DEPENDS csrc/bind/cuda/*.cpp)
list(FILTER emulator_bindings EXCLUDE REGEX "/module.cpp$")  # what devices there are; the emulator has its own
file(GLOB emulator_sources CONFIGURE_DEPENDS csrc/emulator/*.cpp)
list(FILTER emulator_sources EXCLUDE REGEX "/module.cpp$")

set(sanitizers)
set(kernel_options)
set(seen)
if(LAMINA_EMULATOR_SANITIZE STREQUAL "address" OR LAMINA_SANITIZE)
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1)
  set(seen LAMINA_EMULATOR_ASAN)
elseif(LAMINA_EMULATOR_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread -fno-omit-frame-pointer -g1)
  set(seen LAMINA_EMULATOR_TSAN)
elseif(LAMINA_EMULATOR_SANITIZE STREQUAL "counted")
  # ThreadSanitizer's calls at loads and stores, but not its library: counters.cpp has its functions.
  set(kernel_options -fsanitize=thread --param=tsan-instrument-func-entry-exit=0 -g1)
  set(seen LAMINA_EMULATOR_COUNTED)
endif()

if(NOT LAMINA_EMULATOR_SANITIZE STREQUAL "counted")
  list(FILTER emulator_sources EXCLUDE REGEX "/counters.cpp$")
endif()

# The scheduler is not instrumented: sanitizers are to see what kernels do, not how they are switched.
add_library(lamina_emulator OBJECT ${emulator_sources})
target_link_libraries(lamina_emulator PRIVATE lamina_options)
target_compile_definitions(lamina_emulator PRIVATE LAMINA_EMULATOR ${seen})
target_compile_options(lamina_emulator PRIVATE -O2 -fno-sanitize=all)

nanobind_add_module(_cuda_emulated NOMINSIZE NOSTRIP NB_STATIC ${emulator_bindings} ${emulator_kernels}
  csrc/emulator/module.cpp $<TARGET_OBJECTS:lamina_emulator>)
set_source_files_properties(${emulator_kernels} PROPERTIES LANGUAGE CXX)
# What nvcc is asked to unroll, g++ does not know.
set_source_files_properties(${emulator_kernels} PROPERTIES COMPILE_OPTIONS
  "-O1;-Wno-unknown-pragmas;${kernel_options}")
target_compile_definitions(_cuda_emulated PRIVATE LAMINA_EMULATOR ${seen})
target_compile_options(_cuda_emulated PRIVATE ${sanitizers})
target_link_options(_cuda_emulated PRIVATE ${sanitizers})
target_link_libraries(_cuda_emulated PRIVATE lamina_options)
