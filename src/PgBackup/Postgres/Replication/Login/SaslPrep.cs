using System.Text;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>
/// SASLprep (RFC 4013) as PostgreSQL and libpq apply it to passwords (saslprep.c): a password that it refuses is used as it is. Form KC is the
/// framework's: where that runs without ICU, it leaves the text as it is.
/// </summary>
internal static class SaslPrep
{
    /// <summary>The prepared password.</summary>
    public static string Apply(string password)
    {
        if (Ascii.IsValid(password))
            return password;
        List<Rune> runes = [];
        for (int i = 0; i < password.Length;)
        {
            if (!Rune.TryGetRuneAt(password, i, out Rune rune))
                return password; // Half a surrogate pair: no text at all.
            i += rune.Utf16SequenceLength;
            if (IsSpace(rune.Value))
                runes.Add(new Rune(' '));
            else if (!IsMappedToNothing(rune.Value))
                runes.Add(rune);
        }
        return runes.Count == 0 || runes.Exists(static r => SaslPrepTables.Holds(SaslPrepTables.Refused, r.Value)) || MixesDirections(runes)
            ? password
            : string.Concat(runes).Normalize(NormalizationForm.FormKC);
    }

    // Table C.1.2, which is asked first: it has U+200B too.
    private static bool IsSpace(int c) => c is 0x00A0 or 0x1680 or (>= 0x2000 and <= 0x200B) or 0x202F or 0x205F or 0x3000;

    // Table B.1.
    private static bool IsMappedToNothing(int c) =>
        c is 0x00AD or 0x034F or 0x1806 or (>= 0x180B and <= 0x180D) or 0x200C or 0x200D or 0x2060 or (>= 0xFE00 and <= 0xFE0F) or 0xFEFF;

    // RFC 3454, section 6.
    private static bool MixesDirections(List<Rune> runes) =>
        runes.Exists(IsRightToLeft) && (!IsRightToLeft(runes[0]) || !IsRightToLeft(runes[^1]) || runes.Exists(static r => SaslPrepTables.Holds(SaslPrepTables.LeftToRight, r.Value)));

    private static bool IsRightToLeft(Rune rune) => SaslPrepTables.Holds(SaslPrepTables.RightToLeft, rune.Value);
}
