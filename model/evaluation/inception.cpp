#include "model/evaluation/inception.h"

#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/base/profiler.h"
#include "core/ops/backend.h"
#include "core/storage/checksum.h"
#include "core/storage/half.h"
#include "core/storage/safetensors.h"

namespace edt {
namespace inception {

using Calls = std::vector<ConvolutionCall>;

constexpr std::int64_t kBatch = Inception::kBatch;
constexpr double kEpsilon = 1e-3;  // of the batch norms

constexpr PoolForm kHalvingMax{
    .kind = PoolKind::kMax, .kernel_rows = 3, .kernel_columns = 3, .stride = 2};
constexpr PoolForm kMax{
    .kind = PoolKind::kMax, .kernel_rows = 3, .kernel_columns = 3, .padding = 1};
constexpr PoolForm kMean{
    .kind = PoolKind::kMean, .kernel_rows = 3, .kernel_columns = 3, .padding = 1};

// Sides of a convolution's kernel.
struct Kernel {
  std::int64_t rows, columns;
};
constexpr Kernel kOne{1, 1}, kThree{3, 3}, kFive{5, 5}, kRow3{1, 3}, kColumn3{3, 1}, kRow7{1, 7},
    kColumn7{7, 1};

// A convolution without a bias, a batch norm and a ReLU; the norm is part of the weights.
struct Unit {
  std::unique_ptr<PackedConvolution> weights;

  Var operator()(Tape& tape, const Var& x, Calls* calls) const {
    if (calls != nullptr) calls->push_back({weights->form(), x.shape()});
    return convolution(tape, x, *weights, PictureActivation::kRelu);
  }
};

struct Branch {
  std::optional<PoolForm> pool;  // first
  std::vector<Unit> units;       // one after the other
  std::vector<Unit> ends;        // each of what the units give, side by side

  Var operator()(Tape& tape, Var x, Calls* calls) const {
    if (pool) x = edt::pool(tape, x, *pool);
    for (const Unit& unit : units) x = unit(tape, x, calls);
    if (ends.empty()) return x;
    return join_channels(tape, ends[0](tape, x, calls), ends[1](tape, x, calls));
  }
};

struct Stage {
  std::vector<Branch> branches;

  Var operator()(Tape& tape, const Var& x, Calls* calls) const {
    Var joined = branches[0](tape, x, calls);
    for (std::size_t i = 1; i < branches.size(); ++i) {
      joined = join_channels(tape, joined, branches[i](tape, x, calls));
    }
    return joined;
  }
};

class InceptionWeights {
 public:
  InceptionWeights(const std::filesystem::path& file, Backend& backend)
      : reader_(file), backend_(backend) {}

  // One whose zeros keep the size of a picture.
  Unit same(const std::string& name, Kernel kernel) {
    const std::int64_t beside = std::max(kernel.rows, kernel.columns) / 2;
    return unit(name, kernel, {.before = beside, .after = beside});
  }
  // One that sees only what is there.
  Unit inner(const std::string& name, Kernel kernel, std::int64_t stride) {
    return unit(name, kernel, {.stride = stride});
  }
  std::unique_ptr<PackedConvolution> classes() {
    constexpr std::int64_t kClasses = InceptionFeatures::kClasses;
    constexpr std::int64_t kPooled = InceptionFeatures::kPooled;
    (void)take("fc.bias", {kClasses});  // an Inception Score leaves it out
    return backend_.pack_convolution({.inputs = kPooled, .outputs = kClasses},
                                     take("fc.weight", {kClasses, kPooled}), {}, DType::kFloat32);
  }

  // DataError at a tensor that no layer took; counters of training do not count.
  void require_all_taken() const {
    for (const SafetensorsEntry& entry : reader_.entries()) {
      if (taken_.contains(entry.name) || entry.name.ends_with(".num_batches_tracked")) continue;
      fail<DataError>("inception", "{}: tensor {} is none of FID's Inception network",
                      reader_.path().string(), entry.name);
    }
  }
  // By name, whatever the order in which layers were made.
  std::uint64_t checksum() const {
    StreamingChecksum sum;
    for (const auto& [name, value] : taken_) sum.add(std::as_bytes(std::span(&value, 1)));
    return sum.value();
  }

 private:
  using Sizes = std::vector<std::uint64_t>;

  Unit unit(const std::string& name, Kernel kernel, ConvolutionForm form) {
    const Sizes shape = entry(name + ".conv.weight").shape;
    require<DataError>(
        shape.size() == 4 && shape[0] > 0 && static_cast<std::int64_t>(shape[2]) == kernel.rows &&
            static_cast<std::int64_t>(shape[3]) == kernel.columns,
        "inception", "{}: {}.conv.weight is [{}], expected [outputs, inputs, {}, {}]",
        reader_.path().string(), name, fmt::join(shape, ", "), kernel.rows, kernel.columns);
    form.outputs = static_cast<std::int64_t>(shape[0]);
    form.inputs = static_cast<std::int64_t>(shape[1]);
    form.kernel = std::max(kernel.rows, kernel.columns);
    if (kernel.rows < kernel.columns) form.shape = KernelShape::kRow;
    if (kernel.rows > kernel.columns) form.shape = KernelShape::kColumn;
    std::vector<float> weight = take(name + ".conv.weight", shape), bias(shape[0]);
    fold_norm(name, form, weight, bias);
    return {backend_.pack_convolution(form, weight, bias, DType::kFloat32)};
  }

  // weight <- weight * factor, bias <- bias of the norm - mean * factor
  void fold_norm(const std::string& name, const ConvolutionForm& form, std::vector<float>& weight,
                 std::vector<float>& bias) {
    const Sizes channels{static_cast<std::uint64_t>(form.outputs)};
    const auto gain = take(name + ".bn.weight", channels);
    const auto shift = take(name + ".bn.bias", channels);
    const auto mean = take(name + ".bn.running_mean", channels);
    const auto variance = take(name + ".bn.running_var", channels);
    const std::size_t size = weight.size() / bias.size();
    for (std::size_t o = 0; o < bias.size(); ++o) {
      require<DataError>(variance[o] >= 0, "inception", "{}: {}.bn.running_var holds {}",
                         reader_.path().string(), name, variance[o]);
      const double factor =
          static_cast<double>(gain[o]) / std::sqrt(static_cast<double>(variance[o]) + kEpsilon);
      for (std::size_t i = o * size; i < (o + 1) * size; ++i) {
        weight[i] = static_cast<float>(static_cast<double>(weight[i]) * factor);
      }
      bias[o] =
          static_cast<float>(static_cast<double>(shift[o]) - static_cast<double>(mean[o]) * factor);
    }
  }

  const SafetensorsEntry& entry(const std::string& name) const {
    const SafetensorsEntry* found = reader_.find(name);
    require<DataError>(found != nullptr, "inception",
                       "{}: tensor {} is missing: FID's Inception network, with pytorch-fid's "
                       "names, is expected",
                       reader_.path().string(), name);
    return *found;
  }

  std::vector<float> take(const std::string& name, const Sizes& shape) {
    const SafetensorsEntry& there = entry(name);
    require<DataError>(there.shape == shape, "inception", "{}: {} is [{}], expected [{}]",
                       reader_.path().string(), name, fmt::join(there.shape, ", "),
                       fmt::join(shape, ", "));
    std::vector<float> values(there.elements());
    reader_.read(there, 0, values);
    require<DataError>(all_finite(values), "inception", "{}: {} holds a value that is not finite",
                       reader_.path().string(), name);
    taken_[name] = checksum_of(std::span<const float>(values));
    return values;
  }

  SafetensorsReader reader_;
  Backend& backend_;
  std::map<std::string, std::uint64_t> taken_;  // checksums
};

template <class... Units>
std::vector<Unit> chain(Units... units) {
  std::vector<Unit> made;
  (made.push_back(std::move(units)), ...);
  return made;
}

template <class... Branches>
Stage stage(Branches... branches) {
  Stage made;
  (made.branches.push_back(std::move(branches)), ...);
  return made;
}

Stage entrance(InceptionWeights& w) {
  return stage(
      Branch{.units = chain(w.inner("Conv2d_1a_3x3", kThree, 2),
                            w.inner("Conv2d_2a_3x3", kThree, 1), w.same("Conv2d_2b_3x3", kThree))});
}

Stage entrance_end(InceptionWeights& w) {
  return stage(
      Branch{.pool = kHalvingMax,
             .units = chain(w.same("Conv2d_3b_1x1", kOne), w.inner("Conv2d_4a_3x3", kThree, 1))});
}

// 35 x 35 pixels
Stage stage_a(InceptionWeights& w, const std::string& n) {
  return stage(
      Branch{.units = chain(w.same(n + ".branch1x1", kOne))},
      Branch{.units = chain(w.same(n + ".branch5x5_1", kOne), w.same(n + ".branch5x5_2", kFive))},
      Branch{.units =
                 chain(w.same(n + ".branch3x3dbl_1", kOne), w.same(n + ".branch3x3dbl_2", kThree),
                       w.same(n + ".branch3x3dbl_3", kThree))},
      Branch{.pool = kMean, .units = chain(w.same(n + ".branch_pool", kOne))});
}

// to 17 x 17
Stage stage_b(InceptionWeights& w, const std::string& n) {
  return stage(Branch{.units = chain(w.inner(n + ".branch3x3", kThree, 2))},
               Branch{.units = chain(w.same(n + ".branch3x3dbl_1", kOne),
                                     w.same(n + ".branch3x3dbl_2", kThree),
                                     w.inner(n + ".branch3x3dbl_3", kThree, 2))},
               Branch{.pool = kHalvingMax});
}

Stage stage_c(InceptionWeights& w, const std::string& n) {
  return stage(
      Branch{.units = chain(w.same(n + ".branch1x1", kOne))},
      Branch{.units = chain(w.same(n + ".branch7x7_1", kOne), w.same(n + ".branch7x7_2", kRow7),
                            w.same(n + ".branch7x7_3", kColumn7))},
      Branch{.units = chain(
                 w.same(n + ".branch7x7dbl_1", kOne), w.same(n + ".branch7x7dbl_2", kColumn7),
                 w.same(n + ".branch7x7dbl_3", kRow7), w.same(n + ".branch7x7dbl_4", kColumn7),
                 w.same(n + ".branch7x7dbl_5", kRow7))},
      Branch{.pool = kMean, .units = chain(w.same(n + ".branch_pool", kOne))});
}

// to 8 x 8
Stage stage_d(InceptionWeights& w, const std::string& n) {
  return stage(
      Branch{.units =
                 chain(w.same(n + ".branch3x3_1", kOne), w.inner(n + ".branch3x3_2", kThree, 2))},
      Branch{.units = chain(w.same(n + ".branch7x7x3_1", kOne), w.same(n + ".branch7x7x3_2", kRow7),
                            w.same(n + ".branch7x7x3_3", kColumn7),
                            w.inner(n + ".branch7x7x3_4", kThree, 2))},
      Branch{.pool = kHalvingMax});
}

Stage stage_e(InceptionWeights& w, const std::string& n, const PoolForm& pool) {
  return stage(Branch{.units = chain(w.same(n + ".branch1x1", kOne))},
               Branch{.units = chain(w.same(n + ".branch3x3_1", kOne)),
                      .ends = chain(w.same(n + ".branch3x3_2a", kRow3),
                                    w.same(n + ".branch3x3_2b", kColumn3))},
               Branch{.units = chain(w.same(n + ".branch3x3dbl_1", kOne),
                                     w.same(n + ".branch3x3dbl_2", kThree)),
                      .ends = chain(w.same(n + ".branch3x3dbl_3a", kRow3),
                                    w.same(n + ".branch3x3dbl_3b", kColumn3))},
               Branch{.pool = pool, .units = chain(w.same(n + ".branch_pool", kOne))});
}

std::vector<float> values_of(Backend& backend, const Var& x) {
  std::vector<float> values(static_cast<std::size_t>(x.tensor().elements()));
  backend.download(x.tensor(), values.data());
  return values;
}

// The first 7 channels, as [N, 17, 17, 7]: of Mixed_6d they are the first branch's.
std::vector<float> first_channels(const std::vector<float>& pixels, std::int64_t channels) {
  std::vector<float> kept;
  for (std::size_t at = 0; at < pixels.size(); at += static_cast<std::size_t>(channels)) {
    kept.insert(kept.end(), pixels.begin() + static_cast<std::ptrdiff_t>(at),
                pixels.begin() + static_cast<std::ptrdiff_t>(at) + 7);
  }
  return kept;
}

}  // namespace inception

void InceptionFeatures::append(const InceptionFeatures& more) {
  pooled.insert(pooled.end(), more.pooled.begin(), more.pooled.end());
  spatial.insert(spatial.end(), more.spatial.begin(), more.spatial.end());
  logits.insert(logits.end(), more.logits.begin(), more.logits.end());
}

using namespace inception;

struct Inception::Network {
  std::vector<Stage> stages;
  std::size_t spatial_stage = 0;
  std::unique_ptr<PackedConvolution> classes;
  std::uint64_t checksum = 0;
  Arena arena;
  Profiler profiler;

  Network(const std::filesystem::path& file, Backend& backend) : arena(backend.memory()) {
    InceptionWeights w(file, backend);
    stages.push_back(entrance(w));
    stages.push_back(entrance_end(w));
    stages.push_back(stage(Branch{.pool = kHalvingMax}));
    for (const char* name : {"Mixed_5b", "Mixed_5c", "Mixed_5d"})
      stages.push_back(stage_a(w, name));
    stages.push_back(stage_b(w, "Mixed_6a"));
    for (const char* name : {"Mixed_6b", "Mixed_6c", "Mixed_6d"})
      stages.push_back(stage_c(w, name));
    spatial_stage = stages.size() - 1;
    stages.push_back(stage_c(w, "Mixed_6e"));
    stages.push_back(stage_d(w, "Mixed_7a"));
    stages.push_back(stage_e(w, "Mixed_7b", kMean));
    stages.push_back(stage_e(w, "Mixed_7c", kMax));
    classes = w.classes();
    w.require_all_taken();
    checksum = w.checksum();
  }

  InceptionFeatures run(Backend& backend, std::span<const float> pixels, Calls* calls) {
    Tape tape(backend, arena, profiler, DType::kFloat32);
    const Tape::NoGrad inference(tape);
    InceptionFeatures features;
    Var x = tape.make({kBatch, kInceptionSide, kInceptionSide, 3});
    backend.upload_floats(pixels, x.tensor());
    for (std::size_t i = 0; i < stages.size(); ++i) {
      x = stages[i](tape, x, calls);
      if (i == spatial_stage) {
        features.spatial = first_channels(values_of(backend, x), x.shape()[3]);
      }
    }
    x = mean_pixel(tape, x);
    features.pooled = values_of(backend, x);
    features.logits = values_of(backend, convolution(tape, x, *classes));
    return features;
  }
};

Inception::Inception(const std::filesystem::path& file, Backend& backend)
    : backend_(backend), network_(std::make_unique<Network>(file, backend)) {}

Inception::~Inception() = default;

std::uint64_t Inception::checksum() const { return network_->checksum; }

InceptionFeatures Inception::run(std::span<const Image> pictures, InceptionResize resize) {
  constexpr std::size_t kValues = std::size_t{kInceptionSide} * kInceptionSide * 3;
  InceptionFeatures all;
  // Batches are filled up, so that the bits of a picture never depend on how many there are.
  for (std::size_t begin = 0; begin < pictures.size(); begin += kBatch) {
    const std::size_t count = std::min<std::size_t>(kBatch, pictures.size() - begin);
    std::vector<float> pixels(kBatch * kValues);
#pragma omp parallel for schedule(dynamic)
    for (std::size_t i = 0; i < count; ++i) {
      inception_input(pictures[begin + i], resize, std::span(pixels).subspan(i * kValues, kValues));
    }
    InceptionFeatures features = network_->run(backend_, pixels, nullptr);
    features.pooled.resize(count * InceptionFeatures::kPooled);
    features.spatial.resize(count * InceptionFeatures::kSpatial);
    features.logits.resize(count * InceptionFeatures::kClasses);
    all.append(features);
  }
  return all;
}

std::vector<ConvolutionCall> Inception::convolutions() {
  Calls calls;
  const std::vector<float> pixels(kBatch * std::size_t{kInceptionSide} * kInceptionSide * 3);
  (void)network_->run(backend_, pixels, &calls);
  return calls;
}

}  // namespace edt
