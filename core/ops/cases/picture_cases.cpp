// Cases of the ops of pictures: forward only, so that they have values and no gradients.
#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::vector<float> drawn(std::string_view name, std::int64_t count, double scale) {
  std::vector<float> values;
  for (const double value : draw(name, count)) values.push_back(static_cast<float>(value * scale));
  return values;
}

// Weights of a size that leaves results near 1.
const PackedConvolution& packed(CaseInputs& in, const ConvolutionForm& form, bool bias) {
  auto& kept = in.made("weights");
  if (!kept) {
    const std::int64_t terms = form.weights() / form.outputs;
    std::shared_ptr<PackedConvolution> made = in.backend().pack_convolution(
        form, drawn("weight", form.weights(), 1 / std::sqrt(static_cast<double>(terms))),
        bias ? drawn("bias", form.outputs, 0.5) : std::vector<float>{}, in.dtype());
    kept = std::move(made);
  }
  return *static_cast<PackedConvolution*>(kept.get());
}

OpCase inference_case(std::string op, std::string shape,
                      std::function<Var(Tape&, CaseInputs&)> apply) {
  OpCase made{std::move(op), std::move(shape), std::move(apply)};
  made.inference = true;
  return made;
}

OpCase group_norm_case(const Shape& x, const GroupNormForm& form, bool wide_result) {
  std::string text =
      fmt::format("{}, {} groups, {}", to_string(x), form.groups, name_of(form.activation));
  if (wide_result) text += ", float32 result";
  return inference_case("group_norm", text, [=](Tape& tape, CaseInputs& in) {
    // Channels of different means, as pictures have them.
    const Var value = in.leaf(tape, "x", x, [x](std::int64_t count) {
      std::vector<double> values = draw("x", count);
      for (std::int64_t i = 0; i < count; ++i) {
        values[static_cast<std::size_t>(i)] += static_cast<double>(i % x[3] % 7) - 3;
      }
      return values;
    });
    return group_norm(tape, value, in.tensor("weight", {x[3]}, in.accurate_dtype()),
                      in.tensor("bias", {x[3]}, in.accurate_dtype()), form,
                      wide_result ? in.accurate_dtype() : in.dtype());
  });
}

OpCase channel_rms_norm_case(const Shape& x, PictureActivation activation, bool residual) {
  return inference_case(
      "channel_rms_norm",
      fmt::format("{}, {}{}", to_string(x), name_of(activation), residual ? ", residual" : ""),
      [=](Tape& tape, CaseInputs& in) {
        return channel_rms_norm(tape, in.constant(tape, "x", x),
                                in.tensor("weight", {x[3]}, in.accurate_dtype()),
                                in.tensor("bias", {x[3]}, in.accurate_dtype()), 1e-5, activation,
                                residual ? in.constant(tape, "residual", x) : Var{}, in.dtype());
      });
}

OpCase relu_linear_attention_case(const Shape& x, std::int64_t size) {
  return inference_case("relu_linear_attention", fmt::format("{}, heads of {}", to_string(x), size),
                        [=](Tape& tape, CaseInputs& in) {
                          return relu_linear_attention(tape, in.constant(tape, "qkv", x), size,
                                                       1e-15);
                        });
}

OpCase pool_case(const Shape& x, const PoolForm& form) {
  return inference_case(
      "pool",
      fmt::format("{}, {} of {}x{}, stride {}, padding {}", to_string(x), name_of(form.kind),
                  form.kernel_rows, form.kernel_columns, form.stride, form.padding),
      [=](Tape& tape, CaseInputs& in) { return pool(tape, in.constant(tape, "x", x), form); });
}

}  // namespace

OpCase convolution_case(const ConvolutionForm& form, const Shape& x, bool bias,
                        PictureActivation activation) {
  std::string text = fmt::format("{}, {}", to_string(x), to_string(form));
  if (!bias) text += ", no bias";
  if (activation != PictureActivation::kNone) text += fmt::format(", {}", name_of(activation));
  return inference_case("convolution", text, [=](Tape& tape, CaseInputs& in) {
    return convolution(tape, in.constant(tape, "x", x), packed(in, form, bias), activation);
  });
}

OpCase add_convolution_case(const ConvolutionForm& form, const Shape& x,
                            PictureActivation activation) {
  return inference_case(
      "add_convolution",
      fmt::format("{}, {}, {}", to_string(x), to_string(form), name_of(activation)),
      [=](Tape& tape, CaseInputs& in) {
        const Var before = in.constant(tape, "y", form.result_of(x));
        const Var y = tape.make(before.shape(), in.dtype());
        tape.device().copy(before.tensor(), y.tensor());
        add_convolution(tape, in.constant(tape, "x", x), packed(in, form, true), y, activation);
        return y;
      });
}

OpCase group_norm_silu_case(const Shape& x, std::int64_t groups) {
  return group_norm_case(x, {groups, 1e-6, PictureActivation::kSilu}, false);
}

OpCase wide_attention_case(const Shape& x) {
  return inference_case("wide_attention", to_string(x), [=](Tape& tape, CaseInputs& in) {
    return wide_attention(tape, in.constant(tape, "q", x, 1.5), in.constant(tape, "k", x, 1.5),
                          in.constant(tape, "v", x));
  });
}

ConvolutionForm same_size(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel) {
  return {.inputs = inputs,
          .outputs = outputs,
          .kernel = kernel,
          .before = kernel / 2,
          .after = kernel / 2};
}

void add_picture_cases(OpCases& cases) {
  using enum PictureActivation;
  const auto conv = [&](const ConvolutionForm& form, const Shape& x, bool bias = true,
                        PictureActivation activation = kNone) {
    cases.push_back(convolution_case(form, x, bias, activation));
  };
  ConvolutionForm halving = same_size(16, 24, 3);  // as AutoencoderKL, as TAESD
  halving.stride = 2;
  halving.before = 0;
  ConvolutionForm padded_halving = same_size(16, 16, 3);
  padded_halving.stride = 2;
  ConvolutionForm doubling = same_size(16, 8, 3);
  doubling.doubled = true;
  ConvolutionForm depthwise = same_size(24, 24, 5);
  depthwise.groups = 24;
  ConvolutionForm grouped = same_size(96, 96, 1);
  grouped.groups = 3;

  conv(same_size(3, 16, 3), {1, 5, 7, 3});
  conv(same_size(16, 3, 3), {2, 4, 4, 16}, false);
  conv(same_size(16, 32, 3), {2, 6, 5, 16}, true, kSilu);
  conv(same_size(13, 9, 3), {1, 3, 4, 13}, true, kRelu);
  conv(same_size(32, 8, 1), {2, 3, 5, 32});
  conv(same_size(4, 4, 1), {1, 1, 1, 4});
  conv(halving, {1, 8, 6, 16});
  conv(halving, {2, 7, 5, 16});
  conv(padded_halving, {1, 7, 8, 16}, false);
  conv(doubling, {2, 3, 4, 16});
  conv(doubling, {1, 1, 1, 16}, false, kRelu);
  conv(depthwise, {2, 6, 7, 24}, false);
  conv(grouped, {1, 3, 4, 96}, false, kSilu);
  // Wide enough for Winograd's way on the processor: odd sides, tails of channels, many tiles.
  ConvolutionForm wide_doubling = same_size(20, 33, 3);
  wide_doubling.doubled = true;
  conv(same_size(24, 40, 3), {1, 1, 1, 24});
  conv(same_size(17, 70, 3), {2, 7, 10, 17}, false);
  ConvolutionForm narrowing = same_size(18, 21, 3);
  narrowing.before = narrowing.after = 0;
  conv(narrowing, {2, 9, 6, 18});
  conv(same_size(24, 40, 3), {1, 33, 26, 24}, true, kSilu);
  conv(wide_doubling, {2, 3, 5, 20}, true, kRelu);
  conv(wide_doubling, {1, 17, 14, 20}, false);
  cases.push_back(add_convolution_case(same_size(40, 24, 3), {2, 5, 6, 40}, kSilu));
  cases.push_back(add_convolution_case(wide_doubling, {1, 4, 3, 20}, kNone));
  // As Inception has them; 1 x 3 is not to be taken for 3 x 3.
  ConvolutionForm row = same_size(16, 24, 7), column = same_size(16, 40, 3), flat = column;
  row.shape = flat.shape = KernelShape::kRow;
  column.shape = KernelShape::kColumn;
  conv(row, {2, 5, 6, 16}, true, kRelu);
  conv(column, {1, 6, 5, 16}, true, kRelu);
  conv(flat, {1, 5, 6, 16}, false);
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kMean}) {
    cases.push_back(pool_case({2, 7, 6, 24}, {kind, 3, 3, 2, 0}));
    cases.push_back(pool_case({1, 5, 4, 9}, {kind, 3, 3, 1, 1}));
    cases.push_back(pool_case({2, 3, 5, 16}, {kind, 3, 5, 1, 0}));
  }
  cases.push_back(add_convolution_case(same_size(16, 8, 3), {2, 5, 4, 16}, kRelu));
  cases.push_back(add_convolution_case(same_size(8, 16, 1), {1, 5, 4, 8}, kNone));
  cases.push_back(add_convolution_case(doubling, {1, 3, 2, 16}, kNone));
  cases.push_back(add_convolution_case(depthwise, {1, 3, 2, 24}, kSilu));

  cases.push_back(group_norm_case({1, 1, 1, 8}, {4, 1e-6, kNone}, false));
  cases.push_back(group_norm_case({2, 5, 7, 24}, {8, 1e-6, kSilu}, false));
  cases.push_back(group_norm_case({1, 33, 17, 36}, {4, 1e-5, kRelu}, false));
  cases.push_back(group_norm_case({2, 9, 30, 128}, {32, 1e-6, kSilu}, true));
  cases.push_back(channel_rms_norm_case({2, 3, 5, 24}, kNone, true));
  cases.push_back(channel_rms_norm_case({1, 4, 4, 13}, kRelu, false));

  cases.push_back(wide_attention_case({1, 1, 1, 8}));
  cases.push_back(wide_attention_case({2, 5, 7, 16}));
  cases.push_back(wide_attention_case({1, 12, 12, 40}));
  cases.push_back(relu_linear_attention_case({2, 4, 5, 192}, 32));
  cases.push_back(relu_linear_attention_case({1, 3, 3, 30}, 5));

  const auto channels = [&](std::string op, const Shape& x, auto apply) {
    cases.push_back(inference_case(std::move(op), to_string(x), [=](Tape& tape, CaseInputs& in) {
      return apply(tape, in.constant(tape, "x", x));
    }));
  };
  channels("fold_pixels", {2, 4, 6, 6},
           [](Tape& t, const Var& x) { return fold_pixels(t, x, 2, 3); });
  channels("fold_pixels", {1, 3, 2, 8},
           [](Tape& t, const Var& x) { return fold_pixels(t, x, 1, 4); });
  channels("unfold_pixels", {2, 3, 2, 6},
           [](Tape& t, const Var& x) { return unfold_pixels(t, x, 2, 2); });
  channels("unfold_pixels", {1, 3, 2, 4},
           [](Tape& t, const Var& x) { return unfold_pixels(t, x, 1, 3); });
  channels("gated_silu", {2, 3, 5, 18}, [](Tape& t, const Var& x) { return gated_silu(t, x); });
  cases.push_back(
      inference_case("join_channels", "[2, 3, 5, 7] and 12", [](Tape& t, CaseInputs& in) {
        return join_channels(t, in.constant(t, "a", {2, 3, 5, 7}),
                             in.constant(t, "b", {2, 3, 5, 12}));
      }));
}

}  // namespace edt
