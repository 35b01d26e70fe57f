#include <weir/media/language.h>

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <weir/base/err.h>

/* ISO 639-1, 639-2 (terminological, and bibliographic where it differs), English name. Ordered by the first. */
static const struct {
    char two[3], three[4], other_three[4];
    const char *name;
} languages[] = {
    { "aa", "aar", "", "Afar" },
    { "ab", "abk", "", "Abkhazian" },
    { "ae", "ave", "", "Avestan" },
    { "af", "afr", "", "Afrikaans" },
    { "ak", "aka", "", "Akan" },
    { "am", "amh", "", "Amharic" },
    { "an", "arg", "", "Aragonese" },
    { "ar", "ara", "", "Arabic" },
    { "as", "asm", "", "Assamese" },
    { "av", "ava", "", "Avaric" },
    { "ay", "aym", "", "Aymara" },
    { "az", "aze", "", "Azerbaijani" },
    { "ba", "bak", "", "Bashkir" },
    { "be", "bel", "", "Belarusian" },
    { "bg", "bul", "", "Bulgarian" },
    { "bh", "bih", "", "Bihari languages" },
    { "bi", "bis", "", "Bislama" },
    { "bm", "bam", "", "Bambara" },
    { "bn", "ben", "", "Bengali" },
    { "bo", "bod", "tib", "Tibetan" },
    { "br", "bre", "", "Breton" },
    { "bs", "bos", "", "Bosnian" },
    { "ca", "cat", "", "Catalan" },
    { "ce", "che", "", "Chechen" },
    { "ch", "cha", "", "Chamorro" },
    { "co", "cos", "", "Corsican" },
    { "cr", "cre", "", "Cree" },
    { "cs", "ces", "cze", "Czech" },
    { "cu", "chu", "", "Church Slavic" },
    { "cv", "chv", "", "Chuvash" },
    { "cy", "cym", "wel", "Welsh" },
    { "da", "dan", "", "Danish" },
    { "de", "deu", "ger", "German" },
    { "dv", "div", "", "Divehi" },
    { "dz", "dzo", "", "Dzongkha" },
    { "ee", "ewe", "", "Ewe" },
    { "el", "ell", "gre", "Greek" },
    { "en", "eng", "", "English" },
    { "eo", "epo", "", "Esperanto" },
    { "es", "spa", "", "Spanish" },
    { "et", "est", "", "Estonian" },
    { "eu", "eus", "baq", "Basque" },
    { "fa", "fas", "per", "Persian" },
    { "ff", "ful", "", "Fulah" },
    { "fi", "fin", "", "Finnish" },
    { "fj", "fij", "", "Fijian" },
    { "fo", "fao", "", "Faroese" },
    { "fr", "fra", "fre", "French" },
    { "fy", "fry", "", "Western Frisian" },
    { "ga", "gle", "", "Irish" },
    { "gd", "gla", "", "Gaelic" },
    { "gl", "glg", "", "Galician" },
    { "gn", "grn", "", "Guarani" },
    { "gu", "guj", "", "Gujarati" },
    { "gv", "glv", "", "Manx" },
    { "ha", "hau", "", "Hausa" },
    { "he", "heb", "", "Hebrew" },
    { "hi", "hin", "", "Hindi" },
    { "ho", "hmo", "", "Hiri Motu" },
    { "hr", "hrv", "", "Croatian" },
    { "ht", "hat", "", "Haitian" },
    { "hu", "hun", "", "Hungarian" },
    { "hy", "hye", "arm", "Armenian" },
    { "hz", "her", "", "Herero" },
    { "ia", "ina", "", "Interlingua" },
    { "id", "ind", "", "Indonesian" },
    { "ie", "ile", "", "Interlingue" },
    { "ig", "ibo", "", "Igbo" },
    { "ii", "iii", "", "Sichuan Yi" },
    { "ik", "ipk", "", "Inupiaq" },
    { "io", "ido", "", "Ido" },
    { "is", "isl", "ice", "Icelandic" },
    { "it", "ita", "", "Italian" },
    { "iu", "iku", "", "Inuktitut" },
    { "ja", "jpn", "", "Japanese" },
    { "jv", "jav", "", "Javanese" },
    { "ka", "kat", "geo", "Georgian" },
    { "kg", "kon", "", "Kongo" },
    { "ki", "kik", "", "Kikuyu" },
    { "kj", "kua", "", "Kuanyama" },
    { "kk", "kaz", "", "Kazakh" },
    { "kl", "kal", "", "Kalaallisut" },
    { "km", "khm", "", "Central Khmer" },
    { "kn", "kan", "", "Kannada" },
    { "ko", "kor", "", "Korean" },
    { "kr", "kau", "", "Kanuri" },
    { "ks", "kas", "", "Kashmiri" },
    { "ku", "kur", "", "Kurdish" },
    { "kv", "kom", "", "Komi" },
    { "kw", "cor", "", "Cornish" },
    { "ky", "kir", "", "Kirghiz" },
    { "la", "lat", "", "Latin" },
    { "lb", "ltz", "", "Luxembourgish" },
    { "lg", "lug", "", "Ganda" },
    { "li", "lim", "", "Limburgan" },
    { "ln", "lin", "", "Lingala" },
    { "lo", "lao", "", "Lao" },
    { "lt", "lit", "", "Lithuanian" },
    { "lu", "lub", "", "Luba-Katanga" },
    { "lv", "lav", "", "Latvian" },
    { "mg", "mlg", "", "Malagasy" },
    { "mh", "mah", "", "Marshallese" },
    { "mi", "mri", "mao", "Maori" },
    { "mk", "mkd", "mac", "Macedonian" },
    { "ml", "mal", "", "Malayalam" },
    { "mn", "mon", "", "Mongolian" },
    { "mr", "mar", "", "Marathi" },
    { "ms", "msa", "may", "Malay" },
    { "mt", "mlt", "", "Maltese" },
    { "my", "mya", "bur", "Burmese" },
    { "na", "nau", "", "Nauru" },
    { "nb", "nob", "", "Norwegian Bokmål" },
    { "nd", "nde", "", "Ndebele" },
    { "ne", "nep", "", "Nepali" },
    { "ng", "ndo", "", "Ndonga" },
    { "nl", "nld", "dut", "Dutch" },
    { "nn", "nno", "", "Norwegian Nynorsk" },
    { "no", "nor", "", "Norwegian" },
    { "nr", "nbl", "", "Ndebele" },
    { "nv", "nav", "", "Navajo" },
    { "ny", "nya", "", "Chichewa" },
    { "oc", "oci", "", "Occitan" },
    { "oj", "oji", "", "Ojibwa" },
    { "om", "orm", "", "Oromo" },
    { "or", "ori", "", "Oriya" },
    { "os", "oss", "", "Ossetian" },
    { "pa", "pan", "", "Panjabi" },
    { "pi", "pli", "", "Pali" },
    { "pl", "pol", "", "Polish" },
    { "ps", "pus", "", "Pushto" },
    { "pt", "por", "", "Portuguese" },
    { "qu", "que", "", "Quechua" },
    { "rm", "roh", "", "Romansh" },
    { "rn", "run", "", "Rundi" },
    { "ro", "ron", "rum", "Romanian" },
    { "ru", "rus", "", "Russian" },
    { "rw", "kin", "", "Kinyarwanda" },
    { "sa", "san", "", "Sanskrit" },
    { "sc", "srd", "", "Sardinian" },
    { "sd", "snd", "", "Sindhi" },
    { "se", "sme", "", "Northern Sami" },
    { "sg", "sag", "", "Sango" },
    { "si", "sin", "", "Sinhala" },
    { "sk", "slk", "slo", "Slovak" },
    { "sl", "slv", "", "Slovenian" },
    { "sm", "smo", "", "Samoan" },
    { "sn", "sna", "", "Shona" },
    { "so", "som", "", "Somali" },
    { "sq", "sqi", "alb", "Albanian" },
    { "sr", "srp", "", "Serbian" },
    { "ss", "ssw", "", "Swati" },
    { "st", "sot", "", "Sotho" },
    { "su", "sun", "", "Sundanese" },
    { "sv", "swe", "", "Swedish" },
    { "sw", "swa", "", "Swahili" },
    { "ta", "tam", "", "Tamil" },
    { "te", "tel", "", "Telugu" },
    { "tg", "tgk", "", "Tajik" },
    { "th", "tha", "", "Thai" },
    { "ti", "tir", "", "Tigrinya" },
    { "tk", "tuk", "", "Turkmen" },
    { "tl", "tgl", "", "Tagalog" },
    { "tn", "tsn", "", "Tswana" },
    { "to", "ton", "", "Tonga" },
    { "tr", "tur", "", "Turkish" },
    { "ts", "tso", "", "Tsonga" },
    { "tt", "tat", "", "Tatar" },
    { "tw", "twi", "", "Twi" },
    { "ty", "tah", "", "Tahitian" },
    { "ug", "uig", "", "Uighur" },
    { "uk", "ukr", "", "Ukrainian" },
    { "ur", "urd", "", "Urdu" },
    { "uz", "uzb", "", "Uzbek" },
    { "ve", "ven", "", "Venda" },
    { "vi", "vie", "", "Vietnamese" },
    { "vo", "vol", "", "Volapük" },
    { "wa", "wln", "", "Walloon" },
    { "wo", "wol", "", "Wolof" },
    { "xh", "xho", "", "Xhosa" },
    { "yi", "yid", "", "Yiddish" },
    { "yo", "yor", "", "Yoruba" },
    { "za", "zha", "", "Zhuang" },
    { "zh", "zho", "chi", "Chinese" },
    { "zu", "zul", "", "Zulu" },
};

static bool is_no_language(const char *code)
{
    static const char *const words[] = { "und", "mis", "mul", "zxx" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcmp(code, words[i])) return true;
    }
    return false;
}

static const char *shortest(const char *three)
{
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        if (!strcmp(languages[i].three, three) || !strcmp(languages[i].other_three, three)) return languages[i].two;
    }
    return three;
}

/* The primary subtag, in small letters; 0: not two or three letters. */
static size_t read_primary(const char *text, char out[4])
{
    size_t bytes = 0;
    while (bytes < 3 && isalpha((unsigned char)text[bytes])) {
        out[bytes] = (char)tolower((unsigned char)text[bytes]);
        bytes++;
    }
    out[bytes] = 0;
    return bytes < 2 || isalnum((unsigned char)text[bytes]) ? 0 : bytes;
}

/* Further subtags: one to eight letters or digits each (RFC 5646, 2.1). Returns the bytes of those that are well formed. */
static size_t copy_subtags(const char *text, char *out, size_t room)
{
    size_t done = 0;
    while (text[done] == '-' || text[done] == '_') {
        size_t bytes = 1;
        while (bytes <= 8 && isalnum((unsigned char)text[done + bytes])) bytes++;
        if (bytes == 1 || isalnum((unsigned char)text[done + bytes]) || done + bytes >= room) break;
        out[done] = '-';
        memcpy(out + done + 1, text + done + 1, bytes - 1);
        done += bytes;
    }
    out[done] = 0;
    return done;
}

bool language_tag(const char *text, char out[LANGUAGE_TAG_BYTES])
{
    char primary[4];
    *out = 0;
    const size_t bytes = read_primary(text, primary);
    if (!bytes || is_no_language(primary)) return false;
    const char *code = bytes == 3 ? shortest(primary) : primary;
    const size_t code_bytes = strlen(code);
    memcpy(out, code, code_bytes + 1);
    copy_subtags(text + bytes, out + code_bytes, LANGUAGE_TAG_BYTES - code_bytes);
    return true;
}

const char *language_name(const char *tag)
{
    char primary[4];
    if (read_primary(tag, primary) != 2) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        if (!strcmp(languages[i].two, primary)) return languages[i].name;
    }
    return NULL;
}
