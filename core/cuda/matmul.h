// Matrix products by cuBLASLt, in row-major terms, with what its epilogues can take along. The
// library's first suggestion for a shape is looked up once and kept. It is not chosen by timing:
// two algorithms may round differently, and all ranks and runs must take the same one. A batch that
// stands for single products takes theirs.
#pragma once

#include <map>
#include <memory>

#include "core/cuda/context.h"
#include "core/cuda/product.h"
#include "core/cuda/scratch.h"

namespace edt {

class CudaMatmul {
 public:
  CudaMatmul(const CudaContext& context, CudaScratch& scratch, bool tf32);
  ~CudaMatmul();

  // Throws CudaError when cuBLASLt has no algorithm.
  void run(const Product& product);

  // As run(), but false, with nothing done, when cuBLASLt cannot fuse the epilogue into this shape,
  // or cannot do the batch by the algorithm of its single products.
  bool try_run(const Product& product);

 private:
  struct Plan;

  Plan* find(const Product& product);
  std::unique_ptr<Plan> make(const Product& product);
  // Gives the plan an algorithm; false: there is none.
  bool suggest(const Product& product, Plan& plan) const;
  bool take_from_single(const Product& product, Plan& plan);

  const CudaContext& context_;
  CudaScratch& scratch_;
  bool tf32_;
  std::map<ProductKey, std::unique_ptr<Plan>> plans_;  // null: not possible
};

}  // namespace edt
