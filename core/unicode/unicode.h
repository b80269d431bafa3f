// Texts that people take for the same, though their bytes differ. Texts are UTF-8; one that is not
// stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace edt {

// With which some programs begin a file of text; it is none of the text.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The same characters in one form, whatever way they were written in: "é" is one code point here
// (Unicode's NFC, as people type it), or two (NFD, as macOS hands out names).
std::string composed(std::string_view text);
std::string decomposed(std::string_view text);

// What an eye tells apart, alike for all that it does not: upper and lower case, kinds of blanks,
// dashes and quotes, ligatures and letters of full width are one each; blanks around it and what
// cannot be seen are left out.
std::string look_of(std::string_view text);

// What stands in `text` for a character of the keyboard, as word processors and web pages put it
// there: "U+00A0 for a blank"; empty: nothing does.
std::string stand_ins(std::string_view text);

// Whether all of it is UTF-8.
bool is_utf8(std::string_view text);

}  // namespace edt
