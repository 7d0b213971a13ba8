// Every kernel of the model, to be compiled for what ptxas says of it (registers).
#include "solopo/cuda/decoder.hpp"
#include "solopo/cuda/llama.hpp"
#include "solopo/cuda/queue.cuh"

template class solopo::cuda::DeviceLlama<float, solopo::cuda::CudaQueue>;
template class solopo::cuda::DeviceLlama<solopo::BFloat16, solopo::cuda::CudaQueue>;
template class solopo::cuda::DeviceAdamW<solopo::BFloat16, solopo::cuda::CudaQueue>;
template class solopo::BasicDecoder<solopo::cuda::DeviceDecoderEngine<float, solopo::cuda::CudaQueue>>;
template class solopo::BasicDecoder<
    solopo::cuda::DeviceDecoderEngine<solopo::BFloat16, solopo::cuda::CudaQueue>>;
