// ZeRO stages 0-3 over the data-parallel ranks (Rajbhandari et al., arXiv 1910.02054): which part
// of master weights, optimizer state, gradients and weights this rank has, and what travels when.
// The result of a step has the same bits for every number of ranks that divides the micro-batches,
// every stage and size of shard groups, and with overlap or without.
//
// A step: begin_step(); for each micro-batch of this rank begin_micro_batch(), forward and backward
// on a tape whose parameter owner this is, end_micro_batch(); finish_gradients(); update(). What a
// device has captured between the two may be replayed in their place.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/optim/grad_norm.h"
#include "core/optim/optimizer.h"
#include "core/optim/power_average.h"
#include "parallel/zero/gradients.h"
#include "parallel/zero/weight_reader.h"

namespace edt {

class Zero final : public ParameterOwner {
 public:
  // The ranks divide the `micro_batches` of the global batch. `ranks` holds the same model part on
  // every rank. Kernels read weights in `dtype`. `averages` are carried
  // beside the moving average.
  Zero(std::vector<Parameter*> parameters, Communicator& ranks, Device& device, DType dtype,
       const Optimizer& optimizer, const ZeroConfig& config, std::int64_t micro_batches,
       std::vector<PowerAverage> averages = {});
  ~Zero() override;

  const FlatLayout& layout() const { return plan_.layout(); }
  const ZeroConfig& config() const { return config_; }
  // Master weights, optimizer state and moving average of this rank. Call restored() after writing.
  FlatState& state() { return state_; }
  // The part of the state that this rank saves, and where it lies in the arrays of the state: all
  // ranks together have the layout once.
  const FlatShard& own_shard() const { return plan_.own_shard(); }
  // Micro-batches of this rank within a global batch, in the order to compute them.
  const std::vector<std::int64_t>& micro_batches() const { return micro_batches_; }

  void restored();

  // From now on the values of `copies`, parameters of a second model with the names and shapes of
  // the first tensors of the layout, are the moving average as it is after each update. They are
  // read through what is returned, between begin_micro_batch() and end_micro_batch(). Where each
  // rank has all of it in float32 there is no copy; below stage kWeights there is one, gathered
  // once a step, at kWeights it is gathered block by block. Once, before restored().
  ParameterOwner& moving_average(std::vector<Parameter*> copies);

  void begin_step();
  // Of micro_batches() the one at `index`: all, in their order.
  void begin_micro_batch(int index);
  void end_micro_batch();
  // Before a forward pass between steps that nothing goes back from. All ranks call it.
  void begin_pass();
  // The memory that micro-batch `index` of a step, about to begin, finds weights in and leaves
  // gradients in, and the communication it asks for: those of equal work may be replayed for each
  // other. None: it changes from step to step (kWeights).
  using Work = std::array<std::int64_t, 6>;
  std::optional<Work> work_of(int index) const;
  // Waits until this rank's part of the gradient is there.
  void finish_gradients();

  // Fills the blocks of this rank in `sums` (one per block of the layout) with sums of squares, the
  // others with zero; elements in `left_out` (of the flat layout) do not count.
  void square_sums(std::span<const ElementRange> left_out, std::span<double> sums);
  // The first element of this rank's part that is NaN or infinite, as "gradient of NAME (element 3
  // is inf)"; empty when there is none.
  std::string find_non_finite() const;

  struct Update {
    std::int64_t step = 1;
    double learning_rate = 0, grad_scale = 1, ema_decay = 0;
  };
  void update(const Update& update);
  // What a step that changes no weight adds to the power-function averages.
  void pass_over(std::int64_t step) { follow(step); }

  // An array of the state (master weights, moving average) as a whole, in the flat layout: much
  // memory. All ranks call it.
  std::vector<float> gather(std::span<const float> array);

  // Of the step so far.
  CommunicationTime communication_time() { return queue_.time(); }
  std::vector<MemoryUse> bytes_by_category() const;

  void before_read(Parameter& parameter) override;
  bool is_resident(const Parameter& parameter) const override;
  void before_write(Parameter& parameter) override;
  void gradient_final(Parameter& parameter) override;

 private:
  struct Progress {  // of a bucket in the present micro-batch
    std::size_t pending = 0;
    bool provided = false;
  };
  std::size_t bucket_of(const Parameter& parameter) const { return bucket_of_.at(&parameter); }
  ZeroContext context() {
    return {plan_,           config_, parameters_, shard_ranks_.get(),
            replicas_.get(), queue_,  device_,     shared_weights_.get()};
  }
  void provide_gradients(std::size_t bucket);
  void follow(std::int64_t step);

  std::vector<Parameter*> parameters_;
  ZeroConfig config_;
  BucketPlan plan_;
  Device& device_;
  const Optimizer& optimizer_;
  Communicator& ranks_;
  DType dtype_;
  std::vector<PowerAverage> averages_;
  FlatState state_;
  CommunicationQueue queue_;
  std::unique_ptr<Communicator> neighbours_;  // its shard group; null: all ranks, or one
  std::unique_ptr<Communicator> shard_ranks_, replicas_;  // of ZeroContext
  std::unique_ptr<Memory> shared_weights_;
  std::unique_ptr<Gradients> gradients_;
  std::unique_ptr<Weights> weights_;
  std::unique_ptr<WeightReader> average_;  // null: nobody reads it
  std::vector<std::int64_t> micro_batches_;
  std::vector<Progress> progress_;
  std::unordered_map<const Parameter*, std::size_t> bucket_of_;
  Block square_sums_;  // by block of the layout, where the gradients lie
};

}  // namespace edt
