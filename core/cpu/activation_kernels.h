// Activations over contiguous memory, of one thread.
#pragma once

#include "core/cpu/elementwise.h"
#include "core/ops/activation.h"

namespace edt {

// y[i] = f(x[i]); x and y may differ in dtype.
void activate(Activation kind, Span x, Span y, std::int64_t n);
// dx[i] (+)= dy[i] f'(x[i]), one dtype.
void activation_gradient(Activation kind, Span dy, Span x, Span dx, std::int64_t n,
                         bool accumulate);
// The middle of the MLP's backward: y[i] = gelu(x[i]), dx[i] = dy[i] gelu'(x[i]). y and dx are in
// one dtype; dx may be the memory of dy.
void gelu_again(const float* dy, Span x, Span y, Span dx, std::int64_t n);

}  // namespace edt
