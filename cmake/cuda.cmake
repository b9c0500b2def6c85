# lamina._cuda, the optional module for NVIDIA GPUs. LAMINA_CUDA decides:
#   AUTO  built when a CUDA compiler and a GPU are here, for that GPU alone (it never takes long)
#   ON    built for sm_75, 80, 86, 89 and 90, and PTX; a missing compiler is an error
#   OFF   skipped
# The compiler may come from PyPI's wheels (LAMINA_CUDA_WHEELS=1 pip install .): tools/cuda_root.py finds it.
if(LAMINA_CUDA STREQUAL "OFF")
  return()
endif()
if(LAMINA_CUDA STREQUAL "AUTO")
  find_program(LAMINA_NVIDIA_SMI nvidia-smi)
  set(has_gpu 1)
  if(LAMINA_NVIDIA_SMI)
    execute_process(COMMAND ${LAMINA_NVIDIA_SMI} -L RESULT_VARIABLE has_gpu OUTPUT_VARIABLE gpus ERROR_QUIET)
  endif()
  if(NOT has_gpu EQUAL 0 OR NOT gpus MATCHES "GPU")
    message(STATUS "lamina: no NVIDIA GPU here, the CUDA module is skipped")
    return()
  endif()
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  execute_process(
    COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/cuda_root.py ${CMAKE_BINARY_DIR}/cuda-root
    OUTPUT_VARIABLE nvcc OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(failed EQUAL 0)
    unset(CMAKE_CUDA_COMPILER)
    unset(CMAKE_CUDA_COMPILER CACHE)
    set(ENV{CUDACXX} ${nvcc})
    check_language(CUDA)
  endif()
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(LAMINA_CUDA STREQUAL "ON")
    message(FATAL_ERROR "LAMINA_CUDA=ON, but no CUDA compiler was found: set CUDACXX, or LAMINA_CUDA_WHEELS=1")
  endif()
  message(STATUS "lamina: no CUDA compiler here, the CUDA module is skipped")
  return()
endif()

if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  if(LAMINA_CUDA STREQUAL "AUTO")
    set(CMAKE_CUDA_ARCHITECTURES native)
  else()
    # The front end, which takes most of the time, runs twice and not five times: no kernel asks for what came after
    # sm_80. Machine code for each, and PTX for what comes later.
    set(CMAKE_CUDA_ARCHITECTURES OFF)
    set(every_architecture "-gencode=arch=compute_75,code=sm_75"
        "-gencode=arch=compute_80,code=[sm_80,sm_86,sm_89,sm_90,compute_80]")
  endif()
endif()
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
if(every_architecture AND CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  list(APPEND every_architecture --compress-mode=size)
endif()
find_package(CUDAToolkit 12.0 REQUIRED)
find_package(nanobind CONFIG REQUIRED)

file(GLOB cuda_kernels CONFIGURE_DEPENDS csrc/cuda/*.cu)
file(GLOB cuda_bindings CONFIGURE_DEPENDS csrc/bind/cuda/*.cpp)
nanobind_add_module(_cuda NOMINSIZE NB_STATIC ${cuda_bindings} ${cuda_kernels})
# As on the CPU, a fused multiply-add happens where one is written.
target_compile_options(_cuda PRIVATE
  "$<$<COMPILE_LANGUAGE:CUDA>:--fmad=false;--extended-lambda;--expt-relaxed-constexpr;-Werror=all-warnings;-Xcompiler=-Wall,-Wextra>")
target_compile_options(_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${every_architecture}>")
target_link_libraries(_cuda PRIVATE lamina_options CUDA::cudart_static)
set_target_properties(_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static)
# The distribution lamina-cuda13 (cuda/pyproject.toml) has the module in a package of its own, and nothing else.
set(LAMINA_CUDA_PACKAGE lamina CACHE STRING "The Python package that _cuda is installed into")
if(LAMINA_CUDA_PACKAGE STREQUAL "lamina")
  install(TARGETS _cuda LIBRARY DESTINATION lamina COMPONENT python)
else()
  install(TARGETS _cuda LIBRARY DESTINATION ${LAMINA_CUDA_PACKAGE} COMPONENT cuda)
endif()
message(STATUS "lamina: the CUDA module is built for ${CMAKE_CUDA_ARCHITECTURES} ${every_architecture}")
