// Which of cuBLASLt's suggestions for a product is the fastest on this GPU.
#pragma once

#include <optional>

#include "core/cuda/product_plan.h"
#include "core/cuda/tuned_products.h"

namespace edt {

// Runs the product many times on its own operands; waits for the stream. What it overwrites has its
// result then, what it adds to is left as it was, but for a fused bias, which has been added as
// often. Nothing: none of the suggestions runs.
std::optional<TunedProduct> fastest_algorithm(cudaStream_t stream, const ProductPlan& plan,
                                              const Product& product, void* workspace,
                                              const ProductTuning& tuning);

}  // namespace edt
