// Training steps of a model that is only a list of shapes, over random layouts, ranks, stages and
// settings, against the same steps in one place without ranks, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "parallel/comm/shared_memory.h"
#include "tests/parallel/zero/fixture.h"

namespace edt::test {
namespace {

struct Trial {
  Groups groups;
  std::vector<bool> used;  // by tensor: others get no gradient
  int ranks = 1, micro_batches = 1, steps = 2;
  std::size_t read_average = 0;  // first tensors whose moving average a second model reads
  DType dtype = DType::kFloat32;
  bool ternary = false;  // gradients of -1, 0 and 1, the same of each micro-batch
  ZeroConfig zero;

  std::string text() const {
    std::string sizes;
    for (const auto& group : groups) sizes += fmt::format("[{}] ", fmt::join(group, " "));
    return fmt::format("{}, {} ranks, {} micro-batches, {}, overlap {}, buckets of {}, {}", sizes,
                       ranks, micro_batches, text_of(zero), zero.overlap, zero.bucket_elements,
                       name_of(dtype));
  }
};

std::int64_t random_size(std::mt19937& random) {
  const std::int64_t least[] = {1, kBlock - 20, kBlock, 2 * kBlock - 3};
  return least[random() % 4] + static_cast<std::int64_t>(random() % 25);
}

Trial random_trial(std::uint32_t seed, int ranks, ZeroStage stage) {
  std::mt19937 random(seed);
  Trial trial{.ranks = ranks};
  trial.groups.resize(1 + random() % 5);
  const bool only_small = random() % 3 == 0;  // each group is one block
  for (auto& group : trial.groups) {
    group.resize(1 + random() % 3);
    for (auto& size : group) {
      size = only_small ? 1 + static_cast<std::int64_t>(random() % 900) : random_size(random);
      trial.used.push_back(random() % 8 != 0);
    }
  }
  trial.micro_batches = ranks * (1 + static_cast<int>(random() % 6));
  trial.dtype = random() % 2 == 0 ? DType::kFloat32 : DType::kBFloat16;
  trial.zero = {.stage = stage,
                .overlap = random() % 2 == 0,
                .bucket_elements = 1 + static_cast<std::int64_t>(random() % 5) * kBlock,
                .prefetch = 1 + static_cast<int>(random() % 3)};
  trial.read_average = random() % (trial.used.size() + 1);
  std::vector<int> groups = shard_group_sizes(ranks);
  groups.push_back(0);
  trial.zero.shard_ranks = groups[seed % groups.size()];
  return trial;
}

Values gradient(const Trial& trial, const FlatLayout& layout, int step, std::int64_t micro_batch) {
  const std::int64_t drawn = trial.ternary ? 0 : micro_batch;
  Values values = random_values(layout, static_cast<std::uint32_t>(1000 * step + drawn));
  for (float& value : values) {
    if (trial.ternary) value = std::trunc(std::clamp(value, -1.f, 1.f));
  }
  for (std::size_t t = 0; t < trial.used.size(); ++t) {
    const FlatTensor& tensor = layout.tensor(t);
    if (!trial.used[t]) std::fill_n(values.begin() + tensor.offset, tensor.elements(), 0.f);
  }
  return values;
}

const auto kOptimizer = make_optimizer(AdanConfig{.weight_decay = 0.02});

Zero::Update update_of(int step, double norm) {
  return {.step = step + 1,
          .learning_rate = 1e-2,
          .grad_scale = clip_factor(norm, 1),
          .ema_decay = 0.9};
}

// What every rank must come to. By step: the weights and their average before it, and the norm of
// its gradient.
struct Serial {
  std::vector<Values> weights, averages;
  std::vector<double> norms;
  Values master, ema;
};

Serial run_serially(const Trial& trial) {
  const FlatLayout layout = layout_of(trial.groups);
  Serial run{.master = random_values(layout, 7)};
  run.ema = run.master;
  std::vector<Values> memory(kOptimizer->state_names().size(), Values(run.master.size()));
  const std::vector<std::span<float>> states(memory.begin(), memory.end());
  for (int step = 0; step < trial.steps; ++step) {
    run.weights.push_back(run.master);
    run.averages.push_back(run.ema);
    const Values sum = sum_of_all(trial.micro_batches, [&](int micro_batch) {
      return gradient(trial, layout, step, micro_batch);
    });
    std::vector<double> squares(norm_blocks(sum.size()));
    block_square_sums(sum, squares);
    run.norms.push_back(norm_of(squares));
    const Zero::Update update = update_of(step, run.norms.back());
    kOptimizer->update({.params = run.master,
                        .grads = sum,
                        .states = states,
                        .ema = run.ema,
                        .step = update.step,
                        .learning_rate = update.learning_rate,
                        .grad_scale = update.grad_scale,
                        .ema_decay = update.ema_decay});
  }
  return run;
}

// The tape's part: weights are read forward and backward, gradients written from the last to the
// first.
class RankRun {
 public:
  RankRun(const Trial& trial, const Serial& serial, Communicator& world)
      : trial_(trial),
        serial_(serial),
        world_(world),
        parameters_(parameters_of(trial.groups)),
        pointers_(pointers_to(parameters_)),
        device_(make_reference_backend()),
        zero_(pointers_, world, *device_, trial.dtype, *kOptimizer, trial.zero,
              trial.micro_batches),
        copies_(parameters_of(trial.groups)) {
    copies_.resize(trial.read_average);
    if (trial.read_average > 0) average_ = &zero_.moving_average(pointers_to(copies_));
  }

  void run() {
    const Values start = random_values(zero_.layout(), 7);
    for (const std::span<float> array : {zero_.state().master(), zero_.state().ema()}) {
      std::ranges::copy(packed(start, zero_.state().shard()), array.begin());
    }
    zero_.restored();
    for (int step = 0; step < trial_.steps; ++step) take_step(step);
    EXPECT_TRUE(same_bits(zero_.gather(zero_.state().master()), serial_.master)) << world_.name();
    EXPECT_TRUE(same_bits(zero_.gather(zero_.state().ema()), serial_.ema)) << world_.name();
    const auto entered = static_cast<std::int32_t>(world_.collectives());
    EXPECT_EQ(world_.all_reduce_value(entered, Reduce::kMax, "most"), entered) << world_.name();
  }

 private:
  void take_step(int step) {
    zero_.begin_step();
    int index = 0;
    for (const std::int64_t micro_batch : zero_.micro_batches()) {
      zero_.begin_micro_batch(index++);
      read_average(step);
      for (std::size_t t = 0; t < pointers_.size(); ++t) read(step, t);
      const Values values = gradient(trial_, zero_.layout(), step, micro_batch);
      for (std::size_t t = pointers_.size(); t-- > 0;) {
        if (!trial_.used[t]) continue;
        read(step, t);
        write(t, values);
      }
      zero_.end_micro_batch();
    }
    zero_.finish_gradients();
    EXPECT_EQ(zero_.find_non_finite(), "");
    std::vector<double> squares(norm_blocks(static_cast<std::size_t>(zero_.layout().size())));
    zero_.square_sums({}, squares);
    world_.all_reduce(view_of(std::span(squares), {static_cast<std::int64_t>(squares.size())}),
                      Reduce::kSum, "squares");
    const double norm = norm_of(squares);
    EXPECT_EQ(norm, serial_.norms[static_cast<std::size_t>(step)]) << world_.name();
    zero_.update(update_of(step, norm));
  }

  void read(int step, std::size_t t) {
    zero_.before_read(*pointers_[t]);
    EXPECT_TRUE(holds(*pointers_[t], trial_.dtype, zero_.layout().tensor(t),
                      serial_.weights[static_cast<std::size_t>(step)]))
        << world_.name() << ", step " << step << ", " << pointers_[t]->name;
  }

  void read_average(int step) {
    for (std::size_t t = 0; t < copies_.size(); ++t) {
      average_->before_read(copies_[t]);
      EXPECT_TRUE(holds(copies_[t], trial_.dtype, zero_.layout().tensor(t),
                        serial_.averages[static_cast<std::size_t>(step)]))
          << world_.name() << ", average, step " << step << ", " << copies_[t].name;
      EXPECT_THROW(average_->before_write(copies_[t]), Error);
    }
  }

  void write(std::size_t t, const Values& values) {
    const FlatTensor& tensor = zero_.layout().tensor(t);
    zero_.before_write(*pointers_[t]);
    std::ranges::copy(part(values, tensor.offset, tensor.elements()),
                      pointers_[t]->grad.span<float>().begin());
    pointers_[t]->grad_written = true;
    zero_.gradient_final(*pointers_[t]);
  }

  const Trial& trial_;
  const Serial& serial_;
  Communicator& world_;
  std::deque<Parameter> parameters_;
  std::vector<Parameter*> pointers_;
  std::unique_ptr<Backend> device_;
  Zero zero_;
  std::deque<Parameter> copies_;  // of a second model
  ParameterOwner* average_ = nullptr;
};

void expect_same_as_serial(const Trial& trial) {
  SCOPED_TRACE(trial.text());
  const Serial serial = run_serially(trial);
  run_ranks(trial.ranks, [&](Communicator& world) {
    world.set_timeout(Seconds(60));  // ranks that disagree fail, they do not hang
    RankRun(trial, serial, world).run();
  });
}

class AnyLayout : public ::testing::TestWithParam<std::tuple<int, ZeroStage>> {};

TEST_P(AnyLayout, TrainsAsOneRankDoes) {
  const auto [ranks, stage] = GetParam();
  for (std::uint32_t seed = 0; seed < 8 && !HasFailure(); ++seed) {
    expect_same_as_serial(random_trial(seed, ranks, stage));
  }
}

// One rank has the bits of all: that these sums differ is what a wrong order would show.
TEST(SumOfAll, FollowsFromTheNumberOfMicroBatches) {
  const auto leaf = [](int index) {
    return random_values(layout_of(kOneGroup), 50 + static_cast<std::uint32_t>(index));
  };
  EXPECT_FALSE(same_bits(sum_of_all(12, leaf), tree_sum(0, 12, leaf)));
  EXPECT_TRUE(same_bits(sum_of_all(8, leaf), tree_sum(0, 8, leaf)));
}

// The layout of the smallest models: each block of the model is one block of the norm.
TEST_P(AnyLayout, TrainsWhereOneRankOwnsEverything) {
  const auto [ranks, stage] = GetParam();
  for (const bool overlap : {false, true}) {
    expect_same_as_serial({.groups = kOneBlockEach,
                           .used = std::vector<bool>(5, true),
                           .ranks = ranks,
                           .micro_batches = ranks,
                           .steps = 3,
                           .zero = {.stage = stage, .overlap = overlap, .bucket_elements = 1}});
  }
}

// Groups of two, with as many micro-batches as ranks and with turns and leaves of their own.
TEST_P(AnyLayout, TrainsWhereReplicasMeetAfterEachTurn) {
  const auto [ranks, stage] = GetParam();
  if (ranks % 2 != 0) return;
  for (const int each : {1, 2, 3, 6}) {
    expect_same_as_serial({.groups = kUneven,
                           .used = std::vector<bool>(7, true),
                           .ranks = ranks,
                           .micro_batches = ranks * each,
                           .read_average = 2,
                           .zero = {.stage = stage, .shard_ranks = 2, .bucket_elements = 1}});
  }
}

// Ranks read weights from the same memory, a rank that is ahead never too early or too late.
TEST_P(AnyLayout, TrainsOnSharedWeights) {
  const auto [ranks, stage] = GetParam();
  if (stage == ZeroStage::kNone || stage == ZeroStage::kWeights) return;
  if (ranks == 1) return;
  for (const int size : {ranks, ranks % 2 == 0 ? 2 : ranks}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      expect_same_as_serial({.groups = kUneven,
                             .used = std::vector<bool>(7, true),
                             .ranks = ranks,
                             .micro_batches = ranks,
                             .steps = 3,
                             .read_average = 3,
                             .dtype = dtype,
                             .zero = {.stage = stage,
                                      .shard_ranks = size,
                                      .bucket_elements = kBlock,
                                      .shared_weights = make_shared_memory}});
    }
  }
}

TEST(SharedWeights, AreThoseOfOneRankInMemory) {
  run_ranks(4, [](Communicator& world) {
    std::deque<Parameter> parameters = parameters_of(kUneven);
    const auto device = make_reference_backend();
    const auto uses = [&](ZeroConfig config) {
      Zero zero(pointers_to(parameters), world, *device, DType::kBFloat16, *kOptimizer, config, 4);
      const auto all = zero.bytes_by_category();
      const auto shared = std::ranges::find(all, "shared weights", &MemoryUse::category);
      const auto own = std::ranges::find(all, "compute weights", &MemoryUse::category);
      EXPECT_NE(shared == all.end(), own == all.end());
      return shared == all.end() ? own->bytes : shared->bytes;
    };
    ZeroConfig config{.stage = ZeroStage::kGradients};
    const std::size_t whole = uses(config);
    config.shared_weights = make_shared_memory;
    EXPECT_EQ(uses(config), whole / 4);
    config.shard_ranks = 2;
    EXPECT_EQ(uses(config), whole / 2);
    config.shard_ranks = 1;
    EXPECT_THROW(uses(config), UsageError);
    EXPECT_THROW(uses({.stage = ZeroStage::kWeights, .shared_weights = make_shared_memory}),
                 UsageError);
  });
}

// Sums of these gradients are what every wire carries as it is, however it rounds.
TEST_P(AnyLayout, TrainsAsOneRankDoesWhereRoundingTakesNothing) {
  const auto [ranks, stage] = GetParam();
  for (const Wire wire : {Wire::kBFloat16, Wire::kBFloat16Once, Wire::kInt8}) {
    for (const int size : {ranks, ranks % 2 == 0 ? 2 : 1}) {
      expect_same_as_serial({.groups = kUneven,
                             .used = std::vector<bool>(7, true),
                             .ranks = ranks,
                             .micro_batches = 3 * ranks,
                             .ternary = true,
                             .zero = {.stage = stage,
                                      .reduce_dtype = wire,
                                      .error_feedback = wire != Wire::kBFloat16,
                                      .shard_ranks = size}});
    }
  }
}

// Counts what is communicated.
class Counter final : public QueueObserver {
 public:
  void task_begins(std::uint64_t) override { ++tasks; }
  void task_ends(std::uint64_t) override {}
  void waits_for(std::uint64_t) override {}
  std::size_t tasks = 0;
};

// What reading the average takes beside the state: nothing where each rank has all of it as kernels
// read it; else a copy, or a few blocks.
TEST(MovingAverage, HasNoSecondCopyWhereAllOfItIsThere) {
  for (const int ranks : {1, 2}) {
    for (const auto stage : {ZeroStage::kNone, ZeroStage::kGradients, ZeroStage::kWeights}) {
      run_ranks(ranks, [&](Communicator& world) {
        std::deque<Parameter> own = parameters_of(kUneven), copies = parameters_of(kUneven);
        copies.resize(1);  // of a layout that has more
        const auto device = make_reference_backend();
        Counter counter;
        Zero zero(pointers_to(own), world, *device, DType::kFloat32, *kOptimizer,
                  {.stage = stage, .overlap = false, .observer = &counter, .prefetch = 1}, ranks);
        zero.moving_average(pointers_to(copies));
        const MemoryUse use = zero.bytes_by_category().back();
        const auto whole = static_cast<std::size_t>(zero.layout().size()) * sizeof(float);
        const bool is_there =
            stage == ZeroStage::kNone || (ranks == 1 && stage != ZeroStage::kWeights);
        EXPECT_EQ(use.category,
                  stage == ZeroStage::kWeights ? "gathered average" : "weights of the average");
        if (stage != ZeroStage::kWeights) {
          EXPECT_EQ(use.bytes, is_there ? 0 : whole);
        }
        zero.restored();
        counter.tasks = 0;
        zero.update({.step = 1, .learning_rate = 0, .ema_decay = 0.5});
        if (is_there) {
          EXPECT_EQ(copies[0].value.data, zero.state().ema().data());
        }
        // Buckets that the second model has nothing of do not travel.
        const std::size_t buckets = stage == ZeroStage::kNone || ranks == 1 ? 0
                                    : stage == ZeroStage::kWeights          ? 0
                                                                            : 4 + 1;
        EXPECT_EQ(counter.tasks, buckets);
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    RanksAndStages, AnyLayout,
    ::testing::Combine(::testing::Values(1, 2, 3, 4, 5, 6, 8, 12),
                       ::testing::Values(ZeroStage::kNone, ZeroStage::kOptimizer,
                                         ZeroStage::kGradients, ZeroStage::kWeights)),
    [](const auto& one) {
      return fmt::format("{}RanksStage{}", std::get<0>(one.param),
                         static_cast<int>(std::get<1>(one.param)));
    });

}  // namespace
}  // namespace edt::test
