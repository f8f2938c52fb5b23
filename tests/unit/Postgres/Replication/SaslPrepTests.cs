using System.Text;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Postgres.Replication.Login;

namespace PgBackup.Tests.Postgres.Replication;

/// <summary>Passwords on their way into SCRAM, as PostgreSQL's saslprep.c prepares them.</summary>
public sealed class SaslPrepTests
{
    [Theory]
    [InlineData("plain \a", "plain \a")] // ASCII is not looked at.
    [InlineData("I\u00ADX", "IX")] // An example of RFC 4013.
    [InlineData("a\u00A0\u3000b", "a  b")]
    [InlineData("a\u200Bb", "a b")] // A space before it is nothing.
    [InlineData("a\u200Cb\u200D", "ab")]
    [InlineData("\u00AD", "\u00AD")] // Nothing would be left.
    [InlineData("a\u00AD\a", "a\u00AD\a")] // Refused, and so used as it is: a control character,
    [InlineData("a\u00AD\uE000", "a\u00AD\uE000")] // private use,
    [InlineData("a\u00AD\uFFFD", "a\u00AD\uFFFD")] // no plain text,
    [InlineData("a\u00AD\u0221", "a\u00AD\u0221")] // not assigned in Unicode 3.2,
    [InlineData("a\u00AD\U0001F600", "a\u00AD\U0001F600")]
    [InlineData("a\u00AD\U0010FFFF", "a\u00AD\U0010FFFF")]
    [InlineData("\u05D0\u00ADa", "\u05D0\u00ADa")] // both directions,
    [InlineData("\u05D0\u00AD1", "\u05D0\u00AD1")] // an end that has none.
    [InlineData("\u05D0\u00AD1\u05D1", "\u05D01\u05D1")]
    [InlineData("1\u00AD\u00E4", "1\u00E4")]
    public void AsTheServerDoes(string password, string prepared) => Assert.Equal(prepared, SaslPrep.Apply(password));

    // What the framework makes of it, which is nothing where it runs without ICU.
    [Theory]
    [InlineData("\u00AA")]
    [InlineData("\u2168")]
    [InlineData("e\u0301")]
    [InlineData("\u05D0\uFB21")]
    public void TheRestTakesFormKc(string password) => Assert.Equal(password.Normalize(NormalizationForm.FormKC), SaslPrep.Apply(password));

    [Fact]
    public void WhateverCharactersCome()
    {
        Gen<string> texts = Gen.Elements('a', '1', '\u00AD', '\u200B', '\u0301', '\uE000', '\uD800', '\uDC00', '\u05D0').ArrayOf().Select(static chars => new string(chars));
        Prop.ForAll(texts.ToArbitrary(), static text => SaslPrep.Apply(text) is var prepared
            && (prepared == text || prepared.AsSpan().IndexOfAny("\u00AD\u200B\uE000\uD800\uDC00") < 0)).QuickCheckThrowOnFailure();
    }
}
