// The element-wise functions that ops apply (core/ops/activation.h), for kernels too.
#pragma once

namespace edt {

enum class Activation { kGeluTanh, kSilu, kRelu };

}  // namespace edt
