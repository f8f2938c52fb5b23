using PgBackup.PowerShell.Pipeline;

namespace PgBackup.Tests.PowerShell;

/// <summary>One command's success does not hide another's failure, and the process ends with the worst that is left.</summary>
public sealed class OpenFailuresTests
{
    [Fact]
    public void TheWorstThatIsOpenCounts()
    {
        var open = new OpenFailures();
        Assert.Equal(14, open.Add("a", 14));
        Assert.Equal(14, open.Add("b", 3));
        Assert.Null(open.Remove("c"));
        Assert.Equal(3, open.Remove("a"));
        Assert.Equal(0, open.Remove("b"));
        Assert.Null(open.Remove("b"));
    }

    [Fact]
    public void DoneInPartIsTheMildest()
    {
        var open = new OpenFailures();
        Assert.Equal(3, open.Add("a", 3));
        Assert.Equal(1, open.Add("b", 1));
        Assert.Equal(1, open.Add("c", 3));
        // The same subject again: what is known now counts.
        Assert.Equal(3, open.Add("b", 3));
    }
}
