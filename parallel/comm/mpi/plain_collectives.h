// The MPI library's own collectives, to measure ours against. Nothing else uses them: MPI leaves
// the order of a reduction's additions open.
#pragma once

#include <memory>

#include "core/tensor/tensor.h"

namespace edt {

class PlainCollectives {
 public:
  virtual ~PlainCollectives() = default;

  virtual void barrier() = 0;
  virtual void broadcast(const Tensor& tensor) = 0;   // from rank 0
  virtual void all_reduce(const Tensor& tensor) = 0;  // sum, in place
  // Sum; `part` receives this rank's of size() parts that are equal but for one element.
  virtual void reduce_scatter(const Tensor& whole, const Tensor& part) = 0;
  // This rank's part of `whole` is in place before, all parts after.
  virtual void all_gather(const Tensor& whole) = 0;
};

// Over all ranks; null where MPI has not been started.
std::unique_ptr<PlainCollectives> make_plain_collectives();

}  // namespace edt
