// A CUDA stream, named without CUDA's headers: contracts and bindings pass it on.
#pragma once

struct CUstream_st;

namespace lamina::cuda {

using Stream = CUstream_st*;  // cudaStream_t

}  // namespace lamina::cuda
