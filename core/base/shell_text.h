// Texts for a shell.
#pragma once

#include <string>

namespace edt {

// One word for sh, whatever it holds; itself where that is plain.
std::string shell_quoted(const std::string& text);

}  // namespace edt
