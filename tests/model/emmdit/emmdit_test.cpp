// What holds of E-MMDiT whatever its weights: regions, modulations, texts, caches.
#include <gtest/gtest.h>

#include <cmath>

#include "core/reference/reference_backend.h"
#include "model/sampling/branch_cache.h"
#include "tests/model/emmdit/emmdit_pass.h"

namespace edt {
namespace {

using test::EmmditPass, test::tiny_emmdit;

// Attention of all tokens of both streams where those that are not in one region do not count, in
// float64; both streams [tokens, 3, heads, size] with their first tokens in one sequence.
struct MaskedAttention {
  std::int64_t tokens, heads, size;
  std::vector<std::int64_t> region;  // of each token

  double logit(const std::vector<double>& qkv, std::int64_t h, std::int64_t i,
               std::int64_t j) const {
    double sum = 0;
    for (std::int64_t d = 0; d < size; ++d) sum += at(qkv, i, 0, h, d) * at(qkv, j, 1, h, d);
    return sum / std::sqrt(static_cast<double>(size));
  }
  double at(const std::vector<double>& qkv, std::int64_t token, std::int64_t part, std::int64_t h,
            std::int64_t d) const {
    return qkv.at(static_cast<std::size_t>(((token * 3 + part) * heads + h) * size + d));
  }
  std::vector<double> operator()(const std::vector<double>& qkv) const {
    std::vector<double> out(static_cast<std::size_t>(tokens * heads * size));
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t i = 0; i < tokens; ++i) {
        double total = 0;
        for (std::int64_t j = 0; j < tokens; ++j) {
          if (region.at(i) != region.at(j)) continue;
          const double weight = std::exp(logit(qkv, h, i, j));
          total += weight;
          for (std::int64_t d = 0; d < size; ++d) {
            out[static_cast<std::size_t>((i * heads + h) * size + d)] +=
                weight * at(qkv, j, 2, h, d);
          }
        }
        for (std::int64_t d = 0; d < size; ++d) {
          out[static_cast<std::size_t>((i * heads + h) * size + d)] /= total;
        }
      }
    }
    return out;
  }
};

std::vector<double> drawn(std::int64_t count, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  random::fill_normal({.seed = seed}, values);
  return {values.begin(), values.end()};
}

TEST(SubRegions, AreFullAttentionUnderABlockDiagonalMask) {
  constexpr std::int64_t kImage = 32, kText = 16, kHeads = 2, kSize = 4;
  constexpr std::int64_t kColumns = 3 * kHeads * kSize;
  const auto backend = make_reference_backend();
  Arena arena(backend->memory());
  Profiler profiler;
  for (const TokenRegions& regions : {TokenRegions{1, 1}, {4, 1}, {4, 4}, {2, 4}}) {
    std::vector<double> image = drawn(kImage * kColumns, 1), text = drawn(kText * kColumns, 2);
    MaskedAttention masked{kImage + kText, kHeads, kSize, {}};
    for (const std::int64_t count : {kImage, kText}) {
      for (std::int64_t i = 0; i < count; ++i) {
        masked.region.push_back(i % (regions.ratio * regions.run) / regions.run);
      }
    }
    std::vector<double> both = image;
    both.insert(both.end(), text.begin(), text.end());
    const std::vector<double> expected = masked(both);
    Tape tape(*backend, arena, profiler, DType::kFloat64);
    const Tape::NoGrad inference(tape);
    {
      const Var a = tape.leaf({image.data(), {1, kImage, kColumns}, DType::kFloat64});
      const Var b = tape.leaf({text.data(), {1, kText, kColumns}, DType::kFloat64});
      const Var out = plain_attention(tape, join_tokens(tape, a, b, regions), kHeads);
      const Var first = first_tokens(tape, out, kImage, regions);
      const Var last = last_tokens(tape, out, kImage, regions);
      std::size_t at = 0;
      for (const Var& stream : {first, last}) {
        for (const double value : stream.tensor().span<double>()) {
          EXPECT_NEAR(value, expected.at(at++), 1e-12) << regions.ratio << ":" << regions.run;
        }
      }
      EXPECT_EQ(at, expected.size());
    }
    tape.clear();
  }
}

TEST(SubRegions, OfOneRegionAreNone) {
  EmmditConfig one = tiny_emmdit(), none = tiny_emmdit();
  one.regions = {{1, 1}, {1, 4}};
  none.regions.clear();
  EXPECT_EQ(EmmditPass(one)(), EmmditPass(none)());
  EXPECT_NE(EmmditPass(tiny_emmdit())(), EmmditPass(none)());
}

// gamma = -1 everywhere: what remains is beta, at any time.
TEST(AffineModulation, WithoutItsFactorDoesNotSeeTheTime) {
  EmmditPass pass(tiny_emmdit());
  EXPECT_NE(pass(0), pass(700));
  pass.fill(".scale_shift_scale", -1);
  pass.fill(".scale_shift_scale_c", -1);
  EXPECT_EQ(pass(0), pass(700));
}

// The published network has no mask: lengths change nothing, features in every place do.
TEST(JointText, IsAttendedToInEveryPlace) {
  EmmditPass pass(tiny_emmdit());
  const std::vector<float> whole = pass();
  pass.lengths().assign(EmmditPass::kRows, 3);
  EXPECT_EQ(pass(), whole);
  pass.text().back() += 1;
  const std::vector<float> changed = pass();
  const auto half = static_cast<std::ptrdiff_t>(whole.size() / 2);
  EXPECT_TRUE(std::equal(whole.begin(), whole.begin() + half, changed.begin()))
      << "the first picture has another text";
  EXPECT_FALSE(std::equal(whole.begin() + half, whole.end(), changed.begin() + half));
}

// With the same inputs what a cache keeps is what would be computed.
TEST(EmmditCaches, RecallWhatWasComputed) {
  for (const CacheConfig& config :
       {CacheConfig{.kind = CacheKind::kFora, .interval = 2},
        CacheConfig{.kind = CacheKind::kFora, .interval = 2, .attention = false},
        CacheConfig{
            .kind = CacheKind::kTaylor, .interval = 2, .order = 0, .warmup = 1, .lite = true}}) {
    EmmditPass pass(tiny_emmdit());
    const std::vector<float> plain = pass();
    BranchCache cache(config, pass.backend());
    cache.begin(4);
    for (int step = 0; step < 4; ++step) {
      cache.begin_evaluation({}, EmmditPass::kRows);
      EXPECT_EQ(pass(300, {.reuse = &cache}), plain) << step;
    }
    EXPECT_LT(cache.use().whole_steps, cache.use().steps);
  }
}

// A cached branch is not computed: with other inputs the old values stand.
TEST(EmmditCaches, KeepBothStreams) {
  EmmditPass pass(tiny_emmdit());
  BranchCache cache({.kind = CacheKind::kFora, .interval = 2}, pass.backend());
  cache.begin(4);
  std::vector<bool> computed;
  for (int step = 0; step < 4; ++step) {
    pass.text()[0] += 1;
    cache.begin_evaluation({}, EmmditPass::kRows);
    const std::vector<float> cached = pass(300, {.reuse = &cache});
    computed.push_back(cached == pass());
  }
  EXPECT_EQ(std::ranges::count(computed, true), cache.use().whole_steps);
}

TEST(EmmditTaps, GiveTokensOfEveryGroup) {
  const EmmditConfig config = tiny_emmdit();
  std::vector<std::int64_t> all;
  for (std::int64_t after = 1; after <= config.blocks(); ++after) all.push_back(after);
  EmmditPass pass(config);
  Taps taps(all);
  const auto look = [&] {
    for (const std::int64_t after : all) {
      const TokenSite site = config.site_after(after);
      const bool is_middle = after == 3 || after == 4;
      EXPECT_EQ(site.grid.tokens(), is_middle ? 64 + 16 : 256) << after;
      EXPECT_EQ(taps.from(after, 0).shape(),
                (Shape{EmmditPass::kRows, site.grid.tokens(), site.width}));
    }
    taps.clear();
  };
  pass(300, {.taps = &taps}, look);
}

TEST(EmmditWeights, BeginAsPublished) {
  const auto backend = make_cpu_backend();
  const EmmditConfig config = tiny_emmdit();
  const EmmditModel model(config, *backend, DType::kFloat32);
  const ParameterList& parameters = model.parameters();
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const Parameter& parameter = parameters.all()[i];
    std::vector<float> values(static_cast<std::size_t>(parameter.shape.elements()));
    parameters.initialize(i, 7, values);
    const auto [low, high] = std::ranges::minmax(values);
    const std::string& name = parameter.name;
    if (name.find("scale_shift") != name.npos) {
      double squares = 0;
      for (const float value : values) squares += double{value} * value;
      EXPECT_NEAR(std::sqrt(squares / static_cast<double>(values.size())), 0.25, 0.08) << name;
    } else if (name.find("norm") != name.npos) {
      const float expected = name.ends_with(".weight") ? 1 : 0;
      EXPECT_TRUE(low == expected && high == expected) << name;
    } else {
      std::int64_t inputs = values.size() / parameter.shape[0];
      if (name.ends_with(".bias")) {
        const Parameter& weight = parameters.all()[i - 1];
        ASSERT_EQ(weight.name, name.substr(0, name.size() - 4) + "weight");
        inputs = weight.shape.elements() / weight.shape[0];
      }
      const double bound = 1 / std::sqrt(static_cast<double>(inputs));
      EXPECT_LE(std::max(-low, high), bound) << name;
      if (values.size() >= 16) {
        EXPECT_GE(std::max(-low, high), 0.5 * bound) << name;
      }
    }
  }
}

}  // namespace
}  // namespace edt
