using System.Globalization;
using System.Xml;
using System.Xml.Linq;

namespace PgBackup.Build;

/// <summary>How many tests passed and failed. One that did not run counts as failed: a test that is skipped proves nothing.</summary>
internal readonly record struct TestCount(int Passed, int Failed)
{
    /// <summary>The sum.</summary>
    public static TestCount operator +(TestCount left, TestCount right) => new(left.Passed + right.Passed, left.Failed + right.Failed);

    /// <summary>Reads the results that a runner left; a runner that failed without naming a failed test counts as one.</summary>
    public static TestCount OfRun(string what, int exitCode, string resultFile, Func<XDocument, TestCount> read)
    {
        if (!File.Exists(resultFile))
        {
            Console.WriteLine($"{what} left no results (exit code {exitCode}).");
            return new TestCount(0, 1);
        }
        TestCount count;
        try
        {
            count = read(XDocument.Load(resultFile));
        }
        catch (XmlException e)
        {
            Console.WriteLine($"{what} left results that cannot be read, in '{resultFile}' (exit code {exitCode}): {e.Message}");
            return new TestCount(0, 1);
        }
        if (exitCode != 0 && count.Failed == 0)
        {
            Console.WriteLine($"{what} ended with {exitCode} although no test failed.");
            return count with { Failed = 1 };
        }
        return count;
    }

    /// <summary>Reads the results of <c>dotnet test</c>.</summary>
    public static TestCount FromTrx(XDocument document)
    {
        XElement counters = document.Descendants().First(e => e.Name.LocalName == "Counters");
        int passed = Number(counters, "passed");
        return new TestCount(passed, Number(counters, "total") - passed);
    }

    /// <summary>Reads NUnit's results, version 2.5, as Pester writes them.</summary>
    public static TestCount FromNUnit(XDocument document)
    {
        XElement root = document.Root!;
        int notPassed = Number(root, "failures") + Number(root, "errors") + Number(root, "inconclusive") + Number(root, "skipped") + Number(root, "ignored") + Number(root, "invalid");
        // "total" holds the tests that ran; "not-run" those that a filter left out.
        int total = Number(root, "total");
        return new TestCount(total - notPassed, notPassed);
    }

    private static int Number(XElement element, string attribute) =>
        int.Parse(element.Attribute(attribute)?.Value ?? "0", CultureInfo.InvariantCulture);
}
