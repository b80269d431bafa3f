// The weights that kernels read: where they are, and how they follow the array of the state that
// they are read from (the master weights, or the moving average), of which each rank has its part.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "parallel/sharding/flat_state.h"
#include "parallel/zero/zero_context.h"

namespace edt {

struct SourceArray {
  std::span<float> values;  // as the state has them
  bool is_average = false;  // else the master weights
};

class Weights {
 public:
  virtual ~Weights() = default;

  virtual void begin_micro_batch() = 0;
  // Buckets whose values provide() may have to wait for.
  virtual std::size_t arriving() const = 0;
  // Values of `bucket` are there without waiting, and stay until the next update.
  virtual bool is_resident(std::size_t bucket) const = 0;
  // Values of `bucket` are there, and bound to its parameters, when it returns.
  virtual void provide(std::size_t bucket) = 0;

  // Where an update of this rank's part of `bucket` writes its bf16 copy; empty: nowhere.
  virtual std::span<bfloat16> working(std::size_t bucket) const = 0;
  // The source of this rank's part of `bucket` has changed; `rounded`: working() as well.
  // All ranks announce all buckets in the same order.
  virtual void changed(std::size_t bucket, bool rounded) = 0;

  virtual std::vector<MemoryUse> bytes_by_category() const = 0;
};

// Every rank has all weights (below stage kWeights), or reads all in memory that shard ranks share;
// the parts of others arrive after an update, while this rank goes on, and are waited for at their
// first use. An update may write to shared memory at once: it follows the reduction of all
// gradients, before which every rank has read what it needs.
std::unique_ptr<Weights> make_whole_weights(const ZeroContext& context, const SourceArray& source,
                                            DType dtype);
// A rank has the weights of a few blocks at a time (stage kWeights): they are gathered ahead of use
// in the order in which the last micro-batch used them.
std::unique_ptr<Weights> make_gathered_weights(const ZeroContext& context,
                                               const SourceArray& source, DType dtype);

// What a collective of a bucket is called.
const std::string& label_of(const PlannedBucket& bucket, const SourceArray& source);

// `from` in the type of `to`, which has as many elements.
void convert_weights(Device& device, std::span<const float> from, const Tensor& to);

}  // namespace edt
