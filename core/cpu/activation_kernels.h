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
// SwiGLU on rows of h [rows, 2 units]: y[r][u] = silu(h[r][u]) h[r][units + u].
void silu_gate(Span h, Span y, std::int64_t rows, std::int64_t units);
// The middle of its backward: y again, and dh [rows, 2 units] from dy [rows, units]. y and dh are
// in one dtype.
void silu_gate_again(const float* dy, Span h, Span y, Span dh, std::int64_t rows,
                     std::int64_t units);

}  // namespace edt
