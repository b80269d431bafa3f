// The ops of autoencoders and other networks that look at pictures: NHWC, forward only. Nothing in
// training calls them.
#pragma once

#include "core/ops/picture/attention.h"
#include "core/ops/picture/channels.h"
#include "core/ops/picture/convolution.h"
#include "core/ops/picture/norm.h"
#include "core/ops/picture/pooling.h"

namespace edt {

struct PictureKernels : ConvolutionKernels,
                        PictureNormKernels,
                        PictureAttentionKernels,
                        ChannelKernels,
                        PoolKernels {};

}  // namespace edt
