// Marks functions that both processors run. No header of CUDA is needed for it.
#pragma once

#ifdef __CUDACC__
#define EDT_HOST_DEVICE __host__ __device__
#else
#define EDT_HOST_DEVICE
#endif
