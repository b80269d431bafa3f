#include <algorithm>

#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

constexpr std::int64_t kChannels = 4, kPatch = 2;

// Coefficients of the published schedule: 1000 betas from 1e-4 to 0.02.
struct Schedule {
  std::vector<double> beta, alpha_bar;
  Schedule() {
    double product = 1;
    for (int t = 0; t < 1000; ++t) {
      beta.push_back(1e-4 + (0.02 - 1e-4) * t / 999.0);
      alpha_bar.push_back(product *= 1 - beta.back());
    }
  }
  double before(int t) const { return t == 0 ? 1.0 : alpha_bar[static_cast<std::size_t>(t - 1)]; }
  double posterior_variance(int t) const {
    const auto i = static_cast<std::size_t>(t);
    return beta[i] * (1 - before(t)) / (1 - alpha_bar[i]);
  }
};

std::vector<double> coefficients(const std::vector<int>& timesteps, double mse_weight,
                                 double vb_weight) {
  const Schedule schedule;
  std::vector<double> rows;
  for (const int t : timesteps) {
    const auto i = static_cast<std::size_t>(t);
    const double beta = schedule.beta[i], bar = schedule.alpha_bar[i], before = schedule.before(t);
    std::vector<double> row(LossCoefficient::kCount);
    row[LossCoefficient::kMseWeight] = mse_weight;
    row[LossCoefficient::kVbWeight] = vb_weight;
    row[LossCoefficient::kSqrtRecipAlphaBar] = std::sqrt(1 / bar);
    row[LossCoefficient::kSqrtRecipM1AlphaBar] = std::sqrt(1 / bar - 1);
    row[LossCoefficient::kPosteriorMean1] = beta * std::sqrt(before) / (1 - bar);
    row[LossCoefficient::kPosteriorMean2] = (1 - before) * std::sqrt(1 - beta) / (1 - bar);
    row[LossCoefficient::kLogVarianceMin] = std::log(schedule.posterior_variance(std::max(t, 1)));
    row[LossCoefficient::kLogVarianceMax] = std::log(beta);
    row[LossCoefficient::kIsFirstStep] = t == 0;
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

// x_0 partly outside [-1, 1], where the decoder's outermost bins are open.
std::vector<double> clean_image(std::int64_t count) { return draw("x_start", count); }

std::vector<double> noised_image(const std::vector<int>& timesteps, std::int64_t count) {
  const Schedule schedule;
  std::vector<double> x = clean_image(count);
  const std::vector<double> noise = draw("noise", count);
  const std::int64_t per_sample = count / static_cast<std::int64_t>(timesteps.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const double bar = schedule.alpha_bar[static_cast<std::size_t>(timesteps[i / per_sample])];
    x[i] = std::sqrt(bar) * x[i] + std::sqrt(1 - bar) * noise[i];
  }
  return x;
}

bool is_variance(std::int64_t token_element) {
  return token_element % (2 * kChannels) >= kChannels;
}

// A prediction near the noise, in token order, and variances between the limits.
std::vector<double> prediction(const Shape& image, std::int64_t count) {
  std::vector<double> tokens = draw("tokens", count);
  const std::vector<double> noise = draw("noise", image.elements());
  const std::int64_t height = image[2], width = image[3];
  const std::int64_t rows = height / kPatch, columns = width / kPatch;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens[i] *= 0.3;
    if (is_variance(i)) continue;
    const std::int64_t c = i % (2 * kChannels), cell = i / (2 * kChannels) % (kPatch * kPatch);
    const std::int64_t token = i / (2 * kChannels * kPatch * kPatch) % (rows * columns);
    const std::int64_t b = i / (2 * kChannels * height * width);
    const std::int64_t y = token / columns * kPatch + cell / kPatch;
    const std::int64_t x = token % columns * kPatch + cell % kPatch;
    tokens[i] += noise[((b * kChannels + c) * height + y) * width + x];
  }
  return tokens;
}

OpCase add_noise_case(const Shape& image) {
  return {"add_noise", to_string(image), [=](Tape& tape, CaseInputs& in) {
            Var out = tape.make(image, in.accurate_dtype());
            in.backend().add_noise(in.tensor("x_start", image, in.accurate_dtype()),
                                   in.tensor("noise", image, in.accurate_dtype()),
                                   in.tensor("scales", {image[0], 2}, in.accurate_dtype()),
                                   out.tensor());
            return out;
          }};
}

OpCase random_normal_case(const std::vector<std::int32_t>& samples, std::int64_t count) {
  const auto batch = static_cast<std::int64_t>(samples.size());
  return {"random_normal", fmt::format("{} x {}", batch, count), [=](Tape& tape, CaseInputs& in) {
            Var out = tape.make({batch, count}, DType::kFloat32);
            const random::StreamKey key{.seed = 7, .purpose = random::Purpose::kNoise, .step = 3};
            in.backend().random_normal(key, in.labels("samples", samples), out.tensor());
            return out;
          }};
}

}  // namespace

OpCase diffusion_loss_case(const std::vector<int>& timesteps, std::int64_t side, double mse_weight,
                           double vb_weight) {
  return diffusion_loss_case(timesteps, side, side, mse_weight, vb_weight);
}

OpCase diffusion_loss_case(const std::vector<int>& timesteps, std::int64_t height,
                           std::int64_t width, double mse_weight, double vb_weight) {
  const auto batch = static_cast<std::int64_t>(timesteps.size());
  const Shape image{batch, kChannels, height, width};
  const Shape shape{batch, height / kPatch * (width / kPatch), kPatch * kPatch * 2 * kChannels};
  OpCase op_case{
      "diffusion_loss",
      fmt::format("{}, t = {}, weights {} {}", to_string(image), fmt::join(timesteps, " "),
                  mse_weight, vb_weight),
      [=](Tape& tape, CaseInputs& in) {
        const DType accurate = in.accurate_dtype();
        const LossInputs inputs{
            .x_start = in.tensor("x_start", image, accurate, clean_image),
            .x_t = in.tensor("x_t", image, accurate,
                             [&](auto count) { return noised_image(timesteps, count); }),
            .noise = in.tensor("noise", image, accurate),
            .coefficients =
                in.tensor("coefficients", {batch, LossCoefficient::kCount}, accurate,
                          [&](auto) { return coefficients(timesteps, mse_weight, vb_weight); }),
            .sample_weights = in.tensor("sample_weights", {batch}, accurate,
                                        [](auto count) {
                                          std::vector<double> weights = draw("weights", count);
                                          for (double& w : weights) w = 1 + 0.3 * std::abs(w);
                                          return weights;
                                        }),
            .patch = kPatch};
        const Var& tokens =
            in.leaf(tape, "tokens", shape, [&](auto count) { return prediction(image, count); });
        return diffusion_loss(tape, tokens, inputs, in.output("mse", {batch}, accurate),
                              in.output("vb", {batch}, accurate));
      }};
  // The bound sends no gradient through the predicted noise, though its value depends on it.
  if (vb_weight != 0) {
    // float32 loses digits in the predicted x_0, whose two terms are 157 times larger at t = 999.
    op_case.tolerance_factor = 50;
    op_case.movable = [](std::string_view, std::int64_t element) { return is_variance(element); };
  }
  return op_case;
}

void add_diffusion_cases(OpCases& cases) {
  cases.push_back(diffusion_loss_case({500}, 2, 1, 0));
  cases.push_back(diffusion_loss_case({0, 40, 999}, 8, 0.5, 0));
  cases.push_back(diffusion_loss_case({1, 40, 999}, 8, 0, 1));
  cases.push_back(diffusion_loss_case({0}, 8, 0, 1));
  cases.push_back(diffusion_loss_case({0, 1, 700}, 8, 1, 1));
  cases.push_back(diffusion_loss_case({0, 700}, 4, 10, 1, 1));
  cases.push_back(add_noise_case({3, 4, 6, 6}));
  cases.push_back(random_normal_case({5}, 3));
  cases.push_back(random_normal_case({0, 77, 2147483647}, 1021));
}

}  // namespace edt
